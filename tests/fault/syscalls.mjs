// kill -9 of the daemon at every system call that it makes, one run for each:
// on its way from exec() to the end of a tool call, and on the way of one that
// takes over from a daemon that was killed while a tool ran.  Every call is
// answered once, none runs twice, what comes next works, and nothing is left.
import {
	addOracle, alive, assert, assertNoDuplicates, effects, executord, fs, full, Hub, owner, path, rig, rows, same, until,
} from '../support/faults.mjs';

// Those that change what outlives the daemon or what others see of it: each of
// them in the short form, too.  Of all others the first and the last.
const lasting = /^(fsync|fdatasync|pwrite64|rename\w*|unlink\w*|mkdir\w*|ftruncate|flock|bind|listen|accept4|clone3?|vfork|sendmsg|writev)$/;

// The first executord that is started from now on runs under the injector and
// leaves its pid.
function trace(lane, options) {
	const mark = path.join(lane.root, 'mark');
	fs.rmSync(mark, { recursive: true, force: true });
	rig(lane, `mkdir '${mark}' 2>/dev/null || exec '${executord}' "$@"
echo $$ > '${mark}/pid'
ASAN_OPTIONS=detect_leaks=0 exec strace -D -qq -o '${mark}/trace' ${options} '${executord}' "$@"`);
	return {
		pid: () => Number(fs.readFileSync(`${mark}/pid`, 'latin1')),
		names: () => fs.readFileSync(`${mark}/trace`, 'latin1').split('\n').map(l => /^\w+(?=\()/.exec(l)?.[0]).filter(Boolean),
	};
}

const runs = (lane, tag) => effects(lane).filter(l => l.includes(`"${tag}"`)).length;

// What the client of a call may get, and what it then means.
function judge(lane, m, tag, tally) {
	const reason = m.result ? 'result' : m.error?.data?.reason;
	const n = runs(lane, tag);
	assert(reason === 'result' ? n === 1 : reason === 'outcome_unknown' && n <= 1, `${n} executions of ${tag}: ${JSON.stringify(m)}`);
	tally[reason]++;
}

// On a busy machine the point may come only now.
function judgeNext(lane, m, tag, died, tally) {
	if (died || m.result)
		same(m.result?.content[0].text, '0', 'the next call');
	else
		judge(lane, m, tag, tally);
}

// Points are lived through like this, each from a daemon's start to a point
// where nothing is left of it.
const lives = {
	// A client comes to a directory without a daemon.
	start: {
		async live(lane, tag, options, tally) {
			const traced = trace(lane, options);
			const adapter = lane.adapter();
			await adapter.initialize();
			assert((await adapter.tools()).includes('oracle__add'), 'the list');
			judge(lane, await adapter.call('oracle__add', { tag }), tag, tally);
			const done = { names: traced.names(), pid: traced.pid() };
			done.died = !alive(done.pid);
			judgeNext(lane, await adapter.call('oracle__add', { tag: `${tag}+` }), `${tag}+`, done.died, tally);
			await adapter.close();
			same([...adapter.answers.values()], [1, 1, 1, 1], 'answers to each request');
			same(adapter.stderr, '', 'what the adapter says');
			lane.adapters.length = 0;
			return done;
		},
	},
	// A client waits for a tool, and its daemon has been killed.
	takeover: {
		async live(lane, tag, options, tally) {
			rig(lane, `exec '${executord}' "$@"`);
			const adapter = lane.adapter();
			await adapter.initialize();
			const running = adapter.call('oracle__slow', { ms: 600000, tag: `${tag}!` });
			await until('the tool runs', () => runs(lane, `${tag}!`) === 1);
			const traced = trace(lane, options);
			process.kill(owner(lane), 'SIGKILL');
			const lost = await running;
			same(lost.error?.data?.reason, 'outcome_unknown', JSON.stringify(lost));
			judge(lane, await adapter.call('oracle__add', { tag }), tag, tally);
			const done = { names: traced.names(), pid: traced.pid() };
			done.died = !alive(done.pid);
			judgeNext(lane, await adapter.call('oracle__add', { tag: `${tag}+` }), `${tag}+`, done.died, tally);
			await adapter.close();
			same([...adapter.answers.values()], [1, 1, 1, 1], 'answers to each request');
			lane.adapters.length = 0;
			return done;
		},
	},
};

async function ended(lane) {
	const pid = owner(lane);
	if (pid)
		process.kill(pid, 'SIGTERM');
	await until('nothing is left', () => owner(lane) === 0 && lane.left().length === 0);
	lane.assertSane();
}

// [name, n] of the n-th call of that name; all, or those worth a short form.
function points(names, all) {
	const seen = {};
	const list = names.map(name => [name, seen[name] = (seen[name] ?? 0) + 1]);
	return list.filter(([name, n]) => all || lasting.test(name) || n === 1 || n === seen[name]);
}

async function killedEverywhere(hub, { live }) {
	const tally = { result: 0, outcome_unknown: 0, died: 0 };
	await addOracle(hub);
	await hub.ok('daemon', 'stop');
	const { names } = await live(hub, 'all', '', tally);
	await ended(hub);
	const todo = points(names, full);
	const planned = todo.length;
	const lanes = [hub, new Hub(), new Hub(), new Hub()];
	await Promise.all(lanes.map(async lane => {
		if (lane !== hub) {
			await addOracle(lane);
			await lane.ok('daemon', 'stop');
		}
		for (let point = todo.shift(); point; point = todo.shift()) {
			const [name, n] = point;
			try {
				const { died } = await live(lane, `${name}-${n}`, `-e trace=${name} -e inject=${name}:signal=SIGKILL:when=${n}`, tally);
				tally.died += died;
				await ended(lane);
			} catch (error) {
				todo.length = 0;
				error.message = `killed at ${name} ${n}: ${error.message}`;
				throw error;
			}
		}
		assertNoDuplicates(lane);
		await lane.ok('tools', 'list'); // and its end in good order
	}));
	console.log(`     ${names.length} system calls, ${planned} runs: ${JSON.stringify(tally)}`);
	assert(tally.died > planned / 2, 'most of them were reached');
	for (const lane of lanes.slice(1))
		await lane.finish();
}

await rows({
	killed_at_every_system_call_of_a_start_and_a_call: ['strace', 'root', hub => killedEverywhere(hub, lives.start)],
	killed_at_every_system_call_of_a_takeover: ['strace', 'root', hub => killedEverywhere(hub, lives.takeover)],
});
