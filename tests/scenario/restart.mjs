// A daemon that is told to end, while clients go on asking: what it has not
// begun the next one does, and no client notices.  The oracle is a source that
// appends each execution to a file.
import fs from 'node:fs';
import path from 'node:path';
import { assert, bin, bounded, pause, same, scenarios } from '../support/harness.mjs';

const fake = path.join(bin, '..', 'tests', 'fake_source');

async function addOracle(hub, ...options) {
	hub.effects = path.join(hub.root, 'effects');
	await hub.ok('source', 'add', 'oracle', '--env', `EFFECTS=${hub.effects}`, '-q', '--', fake, ...options);
	await hub.ok('tools', 'list');
}

async function connected(hub) {
	const adapter = hub.adapter();
	await adapter.initialize();
	await adapter.tools();
	return adapter;
}

const ran = hub => fs.readFileSync(hub.effects, 'utf8').split('\n').filter(Boolean)
	.map(l => JSON.parse(l.slice(l.indexOf('{'))).call);

// Ask, one after the other, until told to stop.  Any error fails.
async function work(adapter, name, until) {
	const done = [];
	for (let j = 0; !until.over; j++) {
		const call = `${name}-${j}`;
		const tool = j % 3 ? 'oracle__echo' : 'oracle__slow';
		const m = await adapter.call(tool, { call, ms: 30 });
		assert(m.result, `call ${call}: ${JSON.stringify(m)}`);
		done.push(call);
		if (j % 5 === 0)
			assert((await adapter.ask('tools/list', {})).result, 'a list');
		if (j % 7 === 0)
			assert((await adapter.ask('ping', {})).result, 'a ping');
	}
	return done;
}

async function restartUnderLoad(hub, clients, restarts) {
	const adapters = await Promise.all(Array.from({ length: clients }, () => connected(hub)));
	const until = { over: false };
	const running = Promise.all(adapters.map((a, i) => work(a, i, until)));
	const daemons = new Set(hub.daemons());
	for (let i = 0; i < restarts; i++) {
		await Promise.race([running, pause(150)]);
		await hub.ok('daemon', 'restart');
		hub.daemons().forEach(pid => daemons.add(pid));
	}
	until.over = true;
	const done = (await bounded(running, 'all calls')).flat();
	assert(daemons.size > restarts, 'there were several daemons');
	same(ran(hub).sort(), done.sort(), 'what ran, and what was answered');
	for (const adapter of adapters) {
		assert(!adapter.exit, 'no adapter has exited');
		for (const [id, n] of adapter.answers)
			same(n, 1, `answers to id ${id}`);
	}
	console.log(`     ${done.length} calls, ${restarts} restarts`);
}

await scenarios({
	async a_restart_under_load_is_seen_by_no_client(hub) {
		await addOracle(hub);
		await restartUnderLoad(hub, 8, 5);
	},

	async nor_is_one_whose_source_works_for_one_client_at_a_time(hub) {
		await addOracle(hub);
		await hub.ok('source', 'set', 'oracle', '--interactive', 'always');
		await restartUnderLoad(hub, 4, 3);
	},

	async a_large_call_on_its_way_goes_to_the_next(hub) {
		await addOracle(hub);
		const adapter = await connected(hub);
		const text = 'x'.repeat(4 << 20);
		const answers = [];
		let over = false;
		const restarted = hub.ok('daemon', 'restart').finally(() => { over = true; });
		while (!over && answers.length < 40) {
			answers.push(adapter.call('oracle__echo', { call: `large-${answers.length}`, text }));
			await pause(10);
		}
		await restarted;
		for (const m of await Promise.all(answers))
			same(m.result?.structuredContent?.text.length, text.length,
				JSON.stringify(m).slice(0, 300));
		same(ran(hub).length, answers.length, 'executions');
	},
});
