// Fifty clients of one shared server, each with values of its own: no answer
// goes to another.
import { assert, same, scenarios } from '../support/harness.mjs';

const clients = 50, calls = 20;

await scenarios({
	async no_answer_crosses(hub) {
		await hub.addEverything();
		const adapters = Array.from({ length: clients }, () => hub.adapter());
		await Promise.all(adapters.map(async (adapter, i) => {
			await adapter.initialize();
			// All use the same ids and the same progress token.
			await Promise.all(Array.from({ length: calls }, async (_, j) => {
				const value = `client ${i} call ${j}`;
				const m = await adapter.call('everything__echo', { message: value }, { progressToken: 't' });
				same(m.result?.content?.[0]?.text, `Echo: ${value}`, 'the answer');
			}));
		}));
		const status = JSON.parse(await hub.ok('status', '-o', 'json'));
		same(status.counters.requests_in_flight, 0, 'requests in flight at rest');
		same(status.sessions.length, clients, 'sessions');
		same(status.sources.filter(s => s.pid > 0).length, 1, 'processes of sources');
		for (const adapter of adapters)
			for (const [id, n] of adapter.answers)
				assert(n === 1, `id ${id} was answered ${n} times`);
		await Promise.all(adapters.map(a => a.close()));
		const rest = JSON.parse(await hub.ok('status', '-o', 'json'));
		same(rest.sessions.length, 0, 'sessions after all have left');
	},
});
