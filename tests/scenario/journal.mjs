// Calls are written down before they run and answered out of the journal of a
// daemon that was killed.  The oracle is a source that appends each execution
// to a file.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { assert, bin, pause, same, scenarios, until } from '../support/harness.mjs';

const fake = path.join(bin, '..', 'tests', 'fake_source');

async function addOracle(hub) {
	hub.effects = path.join(hub.root, 'effects');
	await hub.ok('source', 'add', 'oracle', '--env', `EFFECTS=${hub.effects}`, '-q', '--', fake);
	await hub.ok('tools', 'list');
}

const effects = hub => fs.existsSync(hub.effects) ?
	fs.readFileSync(hub.effects, 'utf8').split('\n').filter(Boolean) : [];

async function connected(hub) {
	const adapter = hub.adapter();
	await adapter.initialize();
	await adapter.tools();
	return adapter;
}

// Kill the daemon as soon as so many calls have run, or run.
async function killAt(hub, executions) {
	const [pid] = hub.daemons();
	await until('the tool runs', () => effects(hub).length === executions);
	process.kill(pid, 'SIGKILL');
}

async function inFlight(hub) {
	const status = JSON.parse(await hub.ok('status', '-o', 'json'));
	return status.sessions.reduce((n, s) => n + s.requests_in_flight, 0);
}

await scenarios({
	async results_of_a_killed_daemon_are_delivered(hub) {
		await addOracle(hub);
		const adapter = await connected(hub);
		// A host that does not read: most of it stays in the daemon.
		adapter.child.stdout.pause();
		const sizes = Array.from({ length: 6 }, (_, i) => 900000 + i);
		const answers = sizes.map(bytes => adapter.call('oracle__big', { bytes }));
		await until('all have run', () => effects(hub).length === sizes.length);
		await until('all are done', async () => await inFlight(hub) === 0);
		await killAt(hub, sizes.length);
		adapter.child.stdout.resume();
		const texts = (await Promise.all(answers)).map(m => m.result?.content[0].text.length ?? m.error);
		same(texts, sizes, 'the results');
		same(effects(hub).length, sizes.length, 'executions');
		assert(hub.daemons().length === 1, 'another daemon');
	},

	async what_is_known_of_a_lost_call_is_told(hub) {
		await addOracle(hub);
		const adapter = await connected(hub);
		const before = Date.now();
		const answer = adapter.call('oracle__hold', { once: 'x' });
		await killAt(hub, 1);
		const { error } = await answer;
		same(error?.data?.reason, 'outcome_unknown', JSON.stringify(error));
		same([error.data.tool, error.data.source, error.data.ended], ['oracle__hold', 'oracle', false], 'what is known');
		const at = Date.parse(error.data.acceptedAt);
		assert(at >= before - 2000 && at <= Date.now() + 2000, `the time: ${error.data.acceptedAt}`);
		same(effects(hub).length, 1, 'executions');
	},

	async a_harmless_call_runs_again_where_the_user_said_so(hub) {
		await addOracle(hub);
		const adapter = await connected(hub);
		let answer = adapter.call('oracle__slow', { ms: 2000, a: 1 });
		await killAt(hub, 1);
		same((await answer).error?.data?.reason, 'outcome_unknown', 'it says that it is idempotent, and that does not count');
		await hub.ok('source', 'set', 'oracle', '--trust-hints', 'on', '-q');
		same(JSON.parse(await hub.ok('source', 'show', 'oracle', '-o', 'json')).trust_hints, true, 'the setting');
		answer = adapter.call('oracle__slow', { ms: 2000, a: 2 });
		await killAt(hub, 2);
		assert((await answer).result, 'the result of the second run');
		same(effects(hub).length, 3, 'executions');
		answer = adapter.call('oracle__hold', {});
		await killAt(hub, 4);
		same((await answer).error?.data?.reason, 'outcome_unknown', 'one that says nothing of itself');
		same(effects(hub).length, 4, 'executions');
	},

	// At any point of each call: some on their way to the daemon, some
	// accepted, some running, some done.
	async only_what_was_running_is_in_doubt(hub) {
		await addOracle(hub);
		const adapters = await Promise.all(Array.from({ length: 8 }, () => connected(hub)));
		const tally = { ran: 0, unknown: 0 };
		let stop = false;
		const answered = new Map();
		const lanes = adapters.flatMap((adapter, i) => Array.from({ length: 4 }, async (_, k) => {
			for (let n = 0; !stop; n++) {
				const call = `${i}-${k}-${n}`;
				const m = await adapter.call('oracle__echo', { call });
				const reason = m.error?.data?.reason;
				assert(m.result || reason === 'outcome_unknown', JSON.stringify(m));
				answered.set(call, m.result ? 'ran' : 'unknown');
				tally[m.result ? 'ran' : 'unknown']++;
			}
		}));
		for (let i = 0; i < 12; i++) {
			await pause(150 + Math.random() * 150);
			const [pid] = hub.daemons();
			if (pid)
				try {
					process.kill(pid, 'SIGKILL');
				} catch { /* a candidate that lost */ }
		}
		stop = true;
		await Promise.all(lanes);
		await adapters[0].tools(); // of a living daemon
		const lines = effects(hub).map(l => JSON.parse(l.slice(l.indexOf('{'))).call);
		same(lines.filter((l, i) => lines.indexOf(l) !== i), [], 'calls that ran twice');
		const ran = new Set(lines);
		for (const [call, how] of answered)
			assert(how === 'unknown' || ran.has(call), `${call} was answered, and did not run`);
		for (const call of ran)
			assert(answered.has(call), `${call} ran and was not answered`);
		for (const adapter of adapters)
			for (const [id, n] of adapter.answers)
				same(n, 1, `answers to id ${id}`);
		tally.neither = [...answered].filter(([call, how]) => how === 'unknown' && !ran.has(call)).length;
		console.log(`     ${JSON.stringify(tally)}`);
	},

	async what_was_asked_is_in_the_audit_log(hub) {
		await addOracle(hub);
		const adapter = await connected(hub);
		await adapter.call('oracle__add', { a: 1, b: 1, secret: 'hush' });
		await adapter.call('oracle__nothing', {});
		await adapter.call('oracle__crash', {});
		await killAt(hub, 2); // what was done is written down by then
		const log = JSON.parse(await hub.ok('audit', '-o', 'json'));
		same(log.map(t => [t.source, t.method, t.name, t.client, t.outcome]), [
			['oracle', 'tools/call', 'crash', 'scenario', 'outcome_unknown'],
			['oracle', 'tools/call', 'add', 'scenario', 'ok'],
		], 'the log');
		assert(log[1].request_bytes > 100 && log[1].answer_bytes > 50 && log[1].duration_us > 0, JSON.stringify(log));
		assert(!JSON.stringify(log).includes('hush'), 'no arguments');
		same(JSON.parse(await hub.ok('audit', '--limit', '1', '-o', 'json')).length, 1, 'the limit');
		assert((await hub.ok('audit')).includes('outcome_unknown'), 'as a table');
		assert((await hub.executor('audit', '--limit', '0')).code !== 0, 'a bad limit');
	},

	async a_call_that_cannot_be_written_down_does_not_run(hub) {
		await addOracle(hub);
		const adapter = await connected(hub);
		same((await adapter.call('oracle__add', { a: 1, b: 1 })).result?.content[0].text, '2', 'a call');
		const [pid] = hub.daemons();
		const limit = size => same(spawnSync('prlimit', ['--pid', String(pid), `--fsize=${size}:`]).status, 0, 'prlimit');
		limit(1);
		const { error } = await adapter.call('oracle__add', { a: 1, b: 2 });
		same(error?.data?.reason, 'no_space', JSON.stringify(error));
		assert(error.message.includes('executor.db'), error.message);
		assert((await adapter.tools()).length > 0, 'what writes nothing works');
		same(effects(hub).length, 1, 'executions');
		limit('unlimited');
		same((await adapter.call('oracle__add', { a: 1, b: 3 })).result?.content[0].text, '4', 'the next call');
		same(hub.daemons(), [pid], 'the daemon');
	},
});
