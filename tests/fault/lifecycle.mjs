// The end of a daemon that nobody needs, and of one that hangs.
import {
	addOracle, alive, assert, assertNoDuplicates, bounded, call, connected, effects,
	fs, full, Hub, inject, isHeldUp, log, owner, path, pause, rig, rows, same, until, wedge, withOptions,
} from '../support/faults.mjs';

const idle = 1000; // the shortest that --idle-exit can say

async function prepared(hub, options = '--idle-exit 1', more = {}) {
	rig(hub, withOptions(options, more));
	await addOracle(hub);
}

// Somebody comes so many milliseconds after the last one has gone, in which
// the daemon is about to end, ends, or has ended.
async function comeAfter(hub, ms, n) {
	const first = await connected(hub);
	await call(first, { first: n });
	await first.close();
	await pause(ms);
	const second = hub.adapter();
	const tools = second.initialize().then(() => second.tools());
	const answer = second.call('oracle__echo', { second: n });
	assert((await tools).includes('oracle__echo'), 'the list');
	same((await answer).result?.structuredContent, { second: n }, `the call after ${ms} ms`);
	await second.close();
	same(second.stderr, '', 'what the adapter says');
}

await rows({
	async row_34_idle_exit_and_attach(hub) {
		const lanes = [hub, ...Array.from({ length: full ? 7 : 5 }, () => new Hub())];
		const [from, to, step] = full ? [860, 1140, 1] : [880, 1120, 12];
		let next = from;
		await Promise.all(lanes.map(async (lane, i) => {
			await prepared(lane);
			while (next <= to) {
				const ms = next;
				next += step;
				await comeAfter(lane, ms, ms);
			}
			const lines = assertNoDuplicates(lane);
			same(lines.length % 2, 0, `executions in lane ${i}`);
			assert(!/crash_loop|broken/.test(log(lane)), 'no failed start');
		}));
		const ended = lanes.map(l => log(l).split('nobody came for').length - 1);
		console.log(`     ${Math.floor((to - from) / step) + 1} arrivals, ${ended.reduce((a, b) => a + b)} idle ends`);
		for (const lane of lanes.slice(1))
			await lane.finish();
	},

	// The other side of the same moment, without luck: whoever stands at the
	// socket when it is already unpublished is let in.
	row_34_who_came_at_the_last_moment_is_served: ['strace', 'root', async hub => {
		await prepared(hub, '--idle-exit 1', { traced: true });
		const pid = owner(hub);
		const tracer = await inject(pid, 'unlinkat:delay_enter=1500000:when=1');
		await until('it is about to end', () => isHeldUp(pid));
		const adapter = await connected(hub);
		await call(adapter, { last: 'moment' });
		await tracer.end();
		same(owner(hub), pid, 'the daemon that lives on');
		assert(log(hub).includes('somebody came at the last moment'), 'it says so');
		same(hub.manifest().pid, String(pid), 'it can be found');
		await call(await connected(hub), { another: 'client' });
		same(owner(hub), pid, 'and is');
	}],

	// And whoever stands there unseen is turned away before he was heard.
	row_35_connect_into_a_closing_backlog: ['strace', 'root', async hub => {
		await prepared(hub, '--idle-exit 1', { traced: true });
		const pid = owner(hub);
		await inject(pid, 'unlinkat:delay_enter=1500000:when=1', 'accept4:error=EAGAIN');
		await until('it is about to end', () => isHeldUp(pid));
		const adapter = hub.adapter();
		await adapter.initialize();
		const m = await adapter.call('oracle__echo', { late: 1 });
		same(m.result?.structuredContent, { late: 1 }, JSON.stringify(m));
		assert(owner(hub) !== pid && !alive(pid), 'another daemon');
		same(adapter.stderr, '', 'what the adapter says');
		same(assertNoDuplicates(hub).length, 1, 'executions');
		assert(!/crash_loop|died/.test(log(hub)), 'no failed start');
	}],

	async row_36_half_open_hellos(hub) {
		await prepared(hub);
		const pid = owner(hub);
		const net = await import('node:net');
		const socket = hub.manifest().socket;
		const silent = Array.from({ length: full ? 500 : 100 }, (_, i) => {
			const s = net.connect(socket);
			s.on('error', () => {}).resume();
			if (i % 2)
				s.write('PRI * HTTP/2.0\r\n'); // half a preface
			return new Promise(done => s.on('close', done));
		});
		const adapter = await connected(hub);
		await call(adapter, { served: 1 });
		await adapter.close();
		await bounded(Promise.all(silent), 'all are dropped', 60000);
		await until('the idle exit', () => !alive(pid), 30000);
		assert(log(hub).includes('nobody came for 1 s'), log(hub));
	},

	async a_session_that_waits_holds_it(hub) {
		await prepared(hub, '--idle-exit 1 --detached 3');
		const adapter = await connected(hub);
		const pid = owner(hub);
		await adapter.kill();
		await pause(2 * idle);
		assert(alive(pid), 'the session may be resumed yet');
		await until('the idle exit', () => !alive(pid));
	},

	async row_25_a_wedged_owner_is_replaced(hub) {
		const flag = path.join(hub.root, 'wedged');
		rig(hub, `WEDGE='${flag}' LD_PRELOAD='${wedge}' ASAN_OPTIONS=verify_asan_link_order=0 ${withOptions('--stuck-after 1').replace('exec', 'exec env')}`);
		await addOracle(hub);
		const first = await connected(hub);
		const pid = owner(hub);
		fs.writeFileSync(flag, '');
		const second = hub.adapter(); // whose connection it hangs on
		const answer = second.initialize().then(() => second.call('oracle__echo', { second: 1 }));
		await until('the watchdog ends it', () => !alive(pid));
		fs.rmSync(flag);
		same((await answer).result?.structuredContent, { second: 1 }, 'the second client');
		await call(first, { first: 1 });
		assert(owner(hub) !== pid, 'another daemon');
		assert(log(hub).includes('the loop has not turned for 1 s'), 'the log says why');
		assertNoDuplicates(hub);
	},

	row_55_a_suspended_owner_is_not_wedged: ['strace', 'root', async hub => {
		await prepared(hub, '--stuck-after 1', { traced: true });
		const adapter = await connected(hub);
		const pid = owner(hub);
		for (let i = 0; i < (full ? 2 : 1); i++) {
			process.kill(pid, 'SIGSTOP');
			const answer = adapter.call('oracle__echo', { stop: i });
			await pause(3000);
			process.kill(pid, 'SIGCONT');
			same((await answer).result?.structuredContent, { stop: i }, 'the answer');
		}
		// Nor is one that a debugger holds up in the middle of a turn.
		const tracer = await inject(pid, 'accept4:delay_enter=4000000:when=1');
		await call(await connected(hub), { traced: 1 });
		await tracer.end();
		same(owner(hub), pid, 'the same daemon');
		same(effects(hub).length, full ? 3 : 2, 'executions');
	}],
});
