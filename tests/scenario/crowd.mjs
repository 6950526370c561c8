// Two hundred adapters at once on a directory that does not exist yet.
import { assert, same, scenarios } from '../support/harness.mjs';

const adapters = 200;

async function one(hub) {
	const adapter = hub.adapter();
	await adapter.initialize();
	const tools = await adapter.tools();
	assert(tools.includes('executor__status'), `tools: ${tools}`);
	const m = await adapter.call('executor__status');
	assert(m.result && !m.result.isError, JSON.stringify(m));
	return m.result.structuredContent;
}

await scenarios({
	async two_hundred_adapters_elect_one_daemon(hub) {
		const answers = await Promise.all(Array.from({ length: adapters }, () => one(hub)));
		same([...new Set(answers.map(a => a.pid))], hub.daemons(), 'who answered, and who lives');
		// A daemon that came and went would have counted it up.
		same(hub.manifest().epoch, '1', 'the epoch');
		for (const adapter of hub.adapters)
			for (const [id, n] of adapter.answers)
				assert(n === 1, `id ${id} was answered ${n} times`);
		await Promise.all(hub.adapters.map(a => a.close()));
		const rest = JSON.parse(await hub.ok('status', '-o', 'json'));
		same(rest.sessions.length, 0, 'sessions after all have left');
	},
});
