// Sources as a supervisor keeps them: how many start, how they are ended, what
// is left of them, and what becomes of those that fail.
// Numbers are those of the cases in the list of black-box tests.
import fs from 'node:fs';
import path from 'node:path';
import { alive, assert, bin, everything, pause, same, scenarios, until } from '../support/harness.mjs';

const fake = path.join(bin, '..', 'tests', 'fake_source');
const MIB = 1 << 20;

// A daemon with options, as a person starts one.
async function daemon(hub, ...options) {
	const ended = hub.run(path.join(bin, 'executord'), ['--data-dir', hub.dir, ...options]);
	await until('a daemon', () => hub.manifest());
	return ended;
}

async function shown(hub, name) {
	return JSON.parse(await hub.ok('source', 'show', name, '-o', 'json'));
}

async function stopsBeing(hub, name, state) {
	await until(`${name} is not ${state} any more`, async () => (await shown(hub, name)).state !== state);
	return shown(hub, name);
}

const becomes = (hub, name, state) =>
	until(`${name} is ${state}`, async () => (await shown(hub, name)).state === state);

async function pidIn(file) {
	await until(`a pid in ${file}`, () => fs.existsSync(file) && fs.readFileSync(file, 'utf8').endsWith('\n'));
	return Number(fs.readFileSync(file, 'utf8').trim().split('\n').at(-1));
}

// Children of a process that ended and were not reaped.
function zombies(parent) {
	return fs.readdirSync('/proc').filter(pid => {
		try {
			return /^\d+$/.test(pid) && new RegExp(`\\) Z ${parent} `)
				.test(fs.readFileSync(`/proc/${pid}/stat`, 'latin1'));
		} catch {
			return false;
		}
	});
}

await scenarios({
	async four_of_twelve_start_at_a_time(hub) {
		const starts = path.join(hub.root, 'starts');
		const names = Array.from({ length: 12 }, (_, i) => `slow${i}`);
		for (const name of names)
			await hub.ok('source', 'add', name, '--env', `STARTS=${starts}`, '--', fake, 'slow');
		await until('all were started once', () => fs.existsSync(starts) &&
			fs.readFileSync(starts, 'utf8').match(/end/g)?.length === names.length);
		// All at once, in a daemon that has none of them running.
		await hub.ok('daemon', 'restart');
		fs.rmSync(starts);
		const a = hub.adapter();
		await a.initialize();
		const replies = await Promise.all(names.map(n => a.call(`${n}__add`, { a: 1, b: 2 })));
		for (const m of replies)
			assert(m.result?.content[0].text === '3', JSON.stringify(m));
		let now = 0, most = 0;
		const lines = fs.readFileSync(starts, 'utf8').trim().split('\n');
		for (const line of lines) {
			now += line === 'begin' ? 1 : -1;
			most = Math.max(most, now);
		}
		same([lines.length, now], [2 * names.length, 0], 'starts');
		assert(most >= 2 && most <= 4, `${most} started at a time`);
	},

	// 42
	async a_broken_and_five_mute_ones_delay_nobody(hub) {
		await hub.ok('source', 'add', 'broken', '--', fake, 'exit');
		for (let i = 0; i < 5; i++)
			await hub.ok('source', 'add', `mute${i}`, '--', fake, 'mute');
		await hub.ok('source', 'add', 'good', '--', fake);
		const a = hub.adapter();
		await a.initialize();
		// A mute one is given up after thirty seconds.
		const started = Date.now();
		assert((await a.tools()).includes('executor__status'), 'the hub has its own');
		const m = await a.call('good__echo', { n: 1 });
		same(m.result?.structuredContent, { n: 1 }, 'the good one');
		assert((await a.tools()).includes('good__echo'), 'and its tools');
		assert(Date.now() - started < 20000, `it took ${Date.now() - started} ms`);
	},

	async a_crash_loop_is_a_state(hub) {
		const broken = path.join(hub.root, 'broken');
		await hub.ok('source', 'add', 'loop', '--', '/bin/sh', '-c', `test -e ${broken} || exec ${fake}
			echo one >&2; echo two >&2; echo three >&2; echo four >&2; exit 3`);
		await hub.ok('call', 'loop', 'echo');
		fs.writeFileSync(broken, '');
		process.kill((await shown(hub, 'loop')).pid, 'SIGKILL');
		await until('it failed', async () => {
			await hub.executor('call', 'loop', 'echo');
			return (await shown(hub, 'loop')).state === 'failed';
		}, 60000);
		const s = await shown(hub, 'loop');
		same(s.restarts, 5, 'restarts');
		same(s.stderr, ['two', 'three', 'four'], 'its last words');
		const text = await hub.ok('source', 'show', 'loop');
		assert(/its stderr  two\n\s+three\n\s+four\n/.test(text), text);
		assert(/loop +failed .*exit status 3/.test(await hub.ok('status')), 'status');
		// Refused at once, and nothing is started for it.
		const a = hub.adapter();
		await a.initialize();
		assert((await a.tools()).includes('loop__echo'), 'its tools stay');
		const r = await hub.executor('call', 'loop', 'echo');
		assert(r.code === 1 && /keeps failing/.test(r.err) && /exit status 3/.test(r.err), `${r.code} ${r.err}`);
		same((await shown(hub, 'loop')).restarts, 5, 'restarts');
		// A person may try it before; once it is mended it runs.
		assert((await hub.executor('source', 'test', 'loop')).code !== 0, 'still broken');
		same((await shown(hub, 'loop')).state, 'failed', 'the state');
		fs.rmSync(broken);
		await hub.ok('source', 'test', 'loop');
		await hub.ok('call', 'loop', 'echo');
	},

	async what_left_the_group_is_ended_with_its_source(hub) {
		const file = path.join(hub.root, 'grandchild');
		await hub.ok('source', 'add', 'far', '--env', `GRANDCHILD=${file}`, '--', fake, 'grandchild', 'setsid');
		const pid = await pidIn(file);
		assert(alive(pid), 'it has a grandchild');
		await hub.ok('source', 'remove', 'far');
		assert(!alive(pid), 'which is gone with it');
	},

	async a_daemon_that_was_killed_leaves_nothing_to_the_next(hub) {
		const files = ['near', 'far'].map(n => path.join(hub.root, n));
		await hub.ok('source', 'add', 'near', '--env', `GRANDCHILD=${files[0]}`, '--', fake, 'grandchild');
		await hub.ok('source', 'add', 'far', '--env', `GRANDCHILD=${files[1]}`, '--', fake, 'grandchild', 'setsid');
		const pids = [await pidIn(files[0]), await pidIn(files[1])];
		await until('both are written down', () => {
			const text = fs.existsSync(path.join(hub.dir, 'run', 'children')) ?
				fs.readFileSync(path.join(hub.dir, 'run', 'children'), 'utf8') : '';
			return /=near\//.test(text) && /=far\//.test(text);
		});
		const [before] = hub.daemons();
		process.kill(before, 'SIGKILL');
		await until('it is gone', () => !alive(before));
		await hub.ok('endpoint');
		assert(hub.daemons()[0] !== before, 'another daemon');
		await until(`nothing is left: ${pids.filter(alive)}`, () => !pids.some(alive));
	},

	async orphans_are_reaped(hub) {
		await hub.ok('source', 'add', 'parent', '--', '/bin/sh', '-c',
			`(sh -c 'sleep 0.2 & sleep 0.2 &' &); exec ${fake}`);
		await hub.ok('call', 'parent', 'echo');
		const [pid] = hub.daemons();
		const orphans = () => hub.left().filter(p => {
			try {
				return fs.readFileSync(`/proc/${p}/cmdline`, 'utf8').startsWith('sleep');
			} catch {
				return false;
			}
		});
		await until('they ended', () => orphans().length === 0);
		await until(`no zombie: ${zombies(pid)}`, () => zombies(pid).length === 0);
	},

	async memory_is_limited(hub) {
		const ended = daemon(hub, '--source-memory', String(256 * MIB));
		await until('a daemon', () => hub.manifest());
		const a = hub.adapter();
		await a.initialize();
		// Within the limit, and shown.
		await hub.addSource('small', fake, 'hog');
		await a.call('small__echo', { mb: 64 });
		await until('it was looked at', async () => (await shown(hub, 'small')).rss_bytes > 64 * MIB);
		assert(/memory +\d+ MiB/.test(await hub.ok('source', 'show', 'small')), 'shown');
		assert(/small +ready .* MiB/.test(await hub.ok('status')), 'status');
		// Over it, and idle.
		await hub.addSource('over', fake, 'hog');
		await a.call('over__echo', { mb: 270 });
		await becomes(hub, 'over', 'stopped');
		assert(/memory, more than its limit of 256 MiB/.test((await shown(hub, 'over')).last_error), 'why');
		same((await a.call('over__echo', { mb: 0 })).result?.structuredContent, { mb: 0 }, 'started again');
		// Far over it, while something runs.
		await hub.addSource('far', fake, 'hog');
		const held = a.call('far__hold');
		await a.call('far__echo', { mb: 400 });
		const m = await held;
		assert(m.error?.data.reason === 'outcome_unknown' && /limit of 256 MiB/.test(m.error.message), JSON.stringify(m));
		assert((await shown(hub, 'small')).state === 'ready', 'the small one is left alone');
		await hub.ok('daemon', 'stop');
		same((await ended).code, 0, 'the daemon');
	},

	async an_idle_one_is_stopped_whoever_is_attached(hub) {
		const ended = daemon(hub, '--source-idle', '1');
		await until('a daemon', () => hub.manifest());
		await hub.addEverything('ev');
		const a = hub.adapter();
		await a.initialize();
		for (let i = 0; i < 2; i++) {
			const m = await a.call('ev__echo', { message: `hello ${i}` });
			same(m.result?.content[0].text, `Echo: hello ${i}`, 'a call');
			await becomes(hub, 'ev', 'stopped');
			same((await shown(hub, 'ev')).pid, 0, 'its process');
		}
		assert((await a.tools()).includes('ev__echo'), 'its tools stay');
		assert((await shown(hub, 'ev')).restarts >= 1, 'it was started again');
		await hub.ok('daemon', 'stop');
		same((await ended).code, 0, 'the daemon');
	},

	async a_command_that_vanished_is_named(hub) {
		const tool = path.join(hub.root, 'tool');
		fs.copyFileSync(fake, tool);
		await hub.addSource('gone', tool);
		same(JSON.parse(await hub.ok('call', 'gone', 'echo', '{"n":1}', '-o', 'json')).structuredContent, { n: 1 }, 'a call');
		fs.rmSync(tool);
		const { pid } = await shown(hub, 'gone');
		process.kill(pid, 'SIGKILL');
		await stopsBeing(hub, 'gone', 'ready');
		const r = await hub.executor('call', 'gone', 'echo');
		assert(r.code === 1 && r.err.includes(`command '${tool}' cannot be executed`) && /No such file/.test(r.err),
			`${r.code} ${r.err}`);
		// Put back, it runs again.
		fs.copyFileSync(fake, tool);
		fs.chmodSync(tool, 0o755);
		await until('it runs again', async () => (await hub.executor('call', 'gone', 'echo', '{"n":2}')).code === 0);
	},
});
