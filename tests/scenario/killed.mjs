// Any process may die: no adapter exits with the daemon, every request gets
// exactly one answer, and no tool runs twice.  The oracle is a source that
// appends each execution to a file.
import fs from 'node:fs';
import path from 'node:path';
import { assert, bin, bounded, pause, same, scenarios, until } from '../support/harness.mjs';

const fake = path.join(bin, '..', 'tests', 'fake_source');

async function addOracle(hub) {
	hub.effects = path.join(hub.root, 'effects');
	await hub.ok('source', 'add', 'oracle', '--env', `EFFECTS=${hub.effects}`, '-q', '--', fake);
	await hub.ok('tools', 'list');
}

const effects = hub => fs.existsSync(hub.effects) ?
	fs.readFileSync(hub.effects, 'utf8').split('\n').filter(Boolean) : [];

function assertNoDuplicates(hub) {
	const lines = effects(hub);
	const twice = lines.filter((l, i) => lines.indexOf(l) !== i);
	same(twice, [], 'calls that ran twice');
	return lines;
}

async function connected(hub) {
	const adapter = hub.adapter();
	await adapter.initialize();
	await adapter.tools();
	return adapter;
}

// 1, or 0 for one that has ended by itself: a candidate that lost.
function kill(pid) {
	try {
		process.kill(pid, 'SIGKILL');
		return 1;
	} catch {
		return 0;
	}
}

// What an answer says of the call: it ran, it may have run, or it did not.
function outcome(m) {
	if (m.result)
		return 'ran';
	const reason = m.error?.data?.reason;
	assert(m.error.message && reason, `an error without a reason: ${JSON.stringify(m)}`);
	return reason === 'outcome_unknown' ? 'unknown' : 'not';
}

await scenarios({
	async attached_adapters_outlive_the_daemon(hub) {
		await addOracle(hub);
		const adapters = await Promise.all(Array.from({ length: 10 }, () => connected(hub)));
		const [pid] = hub.daemons();
		process.kill(pid, 'SIGKILL');
		await Promise.all(adapters.map(async (adapter, i) => {
			const m = await adapter.call('oracle__echo', { i });
			same(m.result?.structuredContent, { i }, 'the next call');
		}));
		assert(hub.daemons()[0] !== pid, 'another daemon');
		same(hub.daemons().length, 1, 'one daemon');
		assertNoDuplicates(hub);
		for (const adapter of adapters)
			assert(!adapter.exit, 'no adapter has exited');
		// They are told once that lists may have changed.
		await until('list_changed', () => adapters.every(a =>
			a.notifications.some(n => n.method === 'notifications/tools/list_changed')));
	},

	async a_daemon_killed_under_load_loses_no_answer(hub) {
		await addOracle(hub);
		const clients = 20, calls = 30, kills = 8;
		const adapters = await Promise.all(Array.from({ length: clients }, () => connected(hub)));
		const tally = { ran: 0, unknown: 0, not: 0 };
		let done = false;
		const work = Promise.all(adapters.map(async (adapter, i) => {
			for (let j = 0; j < calls; j++) {
				const m = await adapter.call('oracle__echo', { call: `${i}-${j}` });
				const how = outcome(m);
				tally[how]++;
				if (how === 'ran')
					same(m.result.structuredContent.call, `${i}-${j}`, 'the answer');
				adapter.done ??= {};
				adapter.done[`${i}-${j}`] = how;
				await pause(Math.random() * 40);
			}
		})).finally(() => { done = true; });
		let killed = 0;
		while (!done && killed < kills) {
			await pause(60 + Math.random() * 120);
			for (const pid of hub.daemons())
				killed += kill(pid);
		}
		await bounded(work, 'all calls', 120000);
		const lines = assertNoDuplicates(hub);
		const ran = new Set(lines.map(l => JSON.parse(l.slice(l.indexOf('{'))).call));
		for (const adapter of adapters) {
			assert(!adapter.exit, 'no adapter has exited');
			for (const [id, n] of adapter.answers)
				same(n, 1, `answers to id ${id}`);
			for (const [call, how] of Object.entries(adapter.done))
				assert(how === 'unknown' || ran.has(call) === (how === 'ran'),
					`${call} was answered as '${how}', and ${ran.has(call) ? 'ran' : 'did not run'}`);
		}
		console.log(`     ${clients * calls} calls, ${killed} kills: ${JSON.stringify(tally)}`);
		same(tally.ran + tally.unknown + tally.not, clients * calls, 'answers');
		assert(tally.ran > 0 && killed > 0, 'some work and some kills');
		same((await adapters[0].call('oracle__echo', { last: 1 })).result?.structuredContent, { last: 1 }, 'the next call');
	},

	async a_call_that_was_running_is_not_run_again(hub) {
		await addOracle(hub);
		const adapter = await connected(hub);
		const answer = adapter.call('oracle__hold', { once: 'x' });
		await until('the tool runs', () => effects(hub).length === 1);
		process.kill(hub.daemons()[0], 'SIGKILL');
		const m = await answer;
		same(m.error?.data?.reason, 'outcome_unknown', JSON.stringify(m));
		same((await adapter.call('oracle__add', { a: 2, b: 3 })).result?.content[0].text, '5', 'the next call');
		same(assertNoDuplicates(hub).length, 2, 'executions');
	},

	async adapters_killed_at_random_disturb_nobody(hub) {
		await addOracle(hub);
		const adapters = await Promise.all(Array.from({ length: 40 }, () => connected(hub)));
		const [pid] = hub.daemons();
		const victims = adapters.filter((_, i) => i % 2);
		const calls = adapters.map((adapter, i) => adapter.call('oracle__slow', { ms: 200, i }).catch(() => null));
		await until('the tools run', () => effects(hub).length >= 10);
		await Promise.all(victims.map(a => a.kill()));
		const answers = await Promise.all(calls);
		adapters.forEach((adapter, i) => {
			if (!victims.includes(adapter))
				assert(answers[i]?.result, `a survivor's answer: ${JSON.stringify(answers[i])}`);
		});
		same(hub.daemons(), [pid], 'the daemon');
		await until('the daemon has let go of them', async () => {
			const status = JSON.parse(await hub.ok('status', '-o', 'json'));
			return status.sessions.filter(s => s.attached).length === 20 &&
				status.sources.find(s => s.name === 'oracle').state === 'ready';
		});
		assertNoDuplicates(hub);
	},

	async a_stopped_daemon_is_named_and_heals(hub) {
		await addOracle(hub);
		const first = await connected(hub);
		const [pid] = hub.daemons();
		process.kill(pid, 'SIGSTOP');
		const second = hub.adapter();
		await second.initialize();
		const waiting = second.ask('tools/list', {});
		const m = await bounded(waiting, 'an answer about a stopped daemon', 90000);
		assert(m.error?.message.includes(String(pid)), `the error names the process: ${JSON.stringify(m)}`);
		process.kill(pid, 'SIGCONT');
		await until('it works again', async () => (await second.ask('tools/list', {})).result);
		same((await first.call('oracle__echo', { x: 1 })).result?.structuredContent, { x: 1 }, 'the first client');
		same(hub.daemons(), [pid], 'no second daemon');
	},

	async a_drained_daemon_answers_what_runs(hub) {
		await addOracle(hub);
		const adapter = await connected(hub);
		const [pid] = hub.daemons();
		const slow = adapter.call('oracle__slow', { ms: 700 });
		await until('the tool runs', () => effects(hub).length === 1);
		await hub.ok('daemon', 'stop');
		assert((await slow).result, 'the running call was answered');
		// The attached adapter starts no other until it is asked.
		same(hub.daemons(), [], 'no daemon');
		await pause(500);
		same(hub.daemons(), [], 'no daemon, and no other');
		same((await adapter.call('oracle__echo', { y: 1 })).result?.structuredContent, { y: 1 }, 'the next call');
		assert(hub.daemons()[0] !== pid, 'another daemon');
		assertNoDuplicates(hub);
	},

	async a_daemon_that_another_starts_is_attached_by_all(hub) {
		await addOracle(hub);
		const [first, second] = [await connected(hub), await connected(hub)];
		await hub.ok('daemon', 'stop');
		same((await first.call('oracle__echo', { z: 1 })).result?.structuredContent, { z: 1 }, 'the one that is asked');
		await until('the other one is told that lists may have changed', () =>
			second.notifications.some(n => n.method === 'notifications/tools/list_changed'));
		const status = JSON.parse(await hub.ok('status', '-o', 'json'));
		same(status.sessions.filter(s => s.attached).length, 2, 'attached sessions');
	},

	async what_is_forwarded_is_not_changed_by_a_byte(hub) {
		await addOracle(hub);
		const adapter = await connected(hub);
		const evil = '{"big":9007199254740993,"bigger":12345678901234567890,"one":1.0,"huge":1e400,"zero":-0,' +
			'"nul":"a\\u0000b","lone":"\\ud800","sep":"\u2028\u2029","slash":"a\\/b","esc\\u0061ped":[ 1 ,\t2 ],' +
			'"dup":1,"dup":2,"deep":[[[[[[{"é":"🌍"}]]]]]],"exp":1E+2}';
		for (const name of ['oracle__echo']) {
			const line = await bounded(new Promise(done => {
				adapter.onLine = l => {
					if (l.includes('"evil"'))
						done(l);
				};
				adapter.write(`{"jsonrpc":"2.0","id":"evil","method":"tools/call","params":{"name":"${name}","arguments":${evil}}}`);
			}), 'the answer');
			assert(line.includes(`"structuredContent":${evil}`), line);
		}
		adapter.onLine = null;
		assert(effects(hub).some(l => l.endsWith(evil)), 'and so did the source get it');
		const big = await adapter.call('oracle__big', { bytes: 20 << 20 });
		same(big.result?.content[0].text.length, 20 << 20, 'a result of 20 MiB');
	},
});
