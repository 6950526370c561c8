// Clients that call all the time and a daemon that is killed all the time: no
// adapter exits, every request gets exactly one answer, none runs twice.
import { addOracle, assert, assertNoDuplicates, call, connected, full, owner, pause, rows, same, until } from '../support/faults.mjs';

const [clients, calls, duration_ms] = full ? [100, 20, 60000] : [24, 20, 8000];

const share = (samples, p) => samples.length ? samples.sort((a, b) => a - b)[Math.ceil(p * samples.length) - 1] : NaN;
const percentiles = samples => `p50 ${share(samples, 0.5)?.toFixed(0)} ms, p99 ${share(samples, 0.99)?.toFixed(0)} ms`;

// What an answer says of the call: it ran, it may have run, or it did not.
function outcome(m) {
	if (m.result)
		return 'ran';
	const reason = m.error?.data?.reason;
	assert(m.error?.message && reason, `an error without a reason: ${JSON.stringify(m)}`);
	return reason;
}

await rows({
	async a_daemon_that_is_killed_all_the_time(hub) {
		await addOracle(hub);
		const adapters = [];
		for (let i = 0; i < clients; i += 10)
			adapters.push(...await Promise.all(Array.from({ length: Math.min(10, clients - i) }, () => connected(hub))));
		const tally = {}, outcomes = new Map(), delays = [];
		const begin = performance.now();
		let kills = 0;

		// Each one's calls are spread over the whole time, and do not wait
		// for each other.
		const work = Promise.all(adapters.map(async (adapter, i) => {
			const answers = [];
			for (let j = 0; j < calls; j++) {
				await pause(Math.max(0, begin + (j + Math.random()) * duration_ms / calls - performance.now()));
				const name = `${i}-${j}`, asked = performance.now();
				answers.push(adapter.call('oracle__add', { name }).then(m => {
					const how = outcome(m);
					outcomes.set(name, how);
					tally[how] = (tally[how] ?? 0) + 1;
					if (how === 'ran')
						delays.push(performance.now() - asked);
				}));
			}
			await Promise.all(answers);
		}));
		// A candidate that is not published yet is no daemon: whoever dies
		// on the way again and again is given time, which is another test.
		while (performance.now() < begin + duration_ms) {
			await pause(20 + Math.random() * 130);
			const pid = owner(hub);
			if (!pid || hub.manifest()?.pid !== String(pid))
				continue;
			try {
				process.kill(pid, 'SIGKILL');
				kills++;
			} catch { /* it has ended by itself */ }
		}
		await work;
		console.log(`     ${clients} clients, ${clients * calls} calls, ${kills} kills, ${JSON.stringify(tally)}`);
		console.log(`     calls that ran were answered after: ${percentiles(delays)}`);
		same(outcomes.size, clients * calls, 'answered calls');
		for (const adapter of adapters) {
			assert(!adapter.exit, `an adapter has exited: ${adapter.stderr}`);
			same([...adapter.answers.values()].filter(n => n !== 1), [], 'requests with more than one answer');
			same(adapter.answers.size, adapter.next - 1, 'answered requests');
		}
		const ran = new Set(assertNoDuplicates(hub).map(l => JSON.parse(l.slice(l.indexOf('{'))).name));
		for (const [name, how] of outcomes)
			assert(how === 'outcome_unknown' || ran.has(name) === (how === 'ran'),
				`${name} was answered with ${how}, and ${ran.has(name) ? 'ran' : 'did not run'}`);
		const unknown = [...outcomes].filter(([, how]) => how === 'outcome_unknown').map(([name]) => name);
		console.log(`     of those of unknown outcome ${unknown.filter(name => ran.has(name)).length} ran, ${unknown.filter(name => !ran.has(name)).length} did not`);
		assert(kills > 0 && tally.ran > 0, 'some kills, some work');

		await Promise.all(adapters.map((a, i) => call(a, { calm: i })));
		await until('one daemon', () => hub.daemons().length === 1);
	},
});
