// When exactly the daemon dies on the way of one call, what time does to it,
// and who else knocks.
import { spawn, spawnSync } from 'node:child_process';
import {
	addOracle, alive, assert, call, connected, effects, executord, fs, full, log, owner, path, pause, rig, rows, same, until,
} from '../support/faults.mjs';

const plain = `ASAN_OPTIONS=detect_leaks=0 exec '${executord}' "$@"`;

// Kill it at a system call on one of those files, as /proc/PID/fd names them.
async function killAt(pid, files, expression) {
	spawn('strace', ['-qq', '-o', '/dev/null', '-p', String(pid), ...files.flatMap(f => ['-P', f]),
		'-e', `inject=${expression}:signal=SIGKILL`], { stdio: 'ignore' });
	await until('strace is attached', () => /TracerPid:\t[1-9]/.test(fs.readFileSync(`/proc/${pid}/status`, 'latin1')));
}

const descriptors = pid => fs.readdirSync(`/proc/${pid}/fd`).map(fd => fs.readlinkSync(`/proc/${pid}/fd/${fd}`));
const sources = hub => hub.left().filter(p => fs.readlinkSync(`/proc/${p}/exe`).endsWith('/fake_source'));

// A client, its daemon, and a source that has started and is at rest.
async function settled(hub) {
	rig(hub, plain);
	await addOracle(hub);
	const adapter = await connected(hub);
	same((await adapter.call('oracle__add', { a: 1 })).result?.content[0].text, '1', 'a call');
	await pause(300); // acknowledgements, and what is settled with them
	return { adapter, pid: owner(hub), source: sources(hub)[0] };
}

async function answered(hub, { adapter, pid }, answer, reason, executions) {
	const m = await answer;
	same(m.result ? 'result' : m.error?.data?.reason, reason, JSON.stringify(m));
	assert(!alive(pid), 'the daemon was killed');
	same(effects(hub).length - 1, executions, 'executions');
	same((await adapter.call('oracle__add', { a: 2 })).result?.content[0].text, '2', 'the next call');
	same(adapter.answers.get(m.id), 1, 'answers');
}

const faketime = () => spawnSync('faketime', ['-f', '+0', 'sh', '-c', 'echo $LD_PRELOAD'], { encoding: 'latin1' }).stdout.trim();

await rows({
	row_18_killed_before_the_call_is_accepted: ['strace', 'root', async hub => {
		const all = await settled(hub);
		await killAt(all.pid, [path.join(hub.dir, 'executor.db-wal')], 'pwrite64');
		await answered(hub, all, all.adapter.call('oracle__add', { b: 1 }), 'result', 1);
	}],

	row_19_killed_between_accepted_and_its_source: ['strace', 'root', async hub => {
		const all = await settled(hub);
		await killAt(all.pid, [fs.readlinkSync(`/proc/${all.source}/fd/0`)], 'write');
		await answered(hub, all, all.adapter.call('oracle__add', { b: 1 }), 'outcome_unknown', 0);
	}],

	async row_19_killed_between_its_source_and_the_effect(hub) {
		const all = await settled(hub);
		process.kill(all.source, 'SIGSTOP');
		const answer = all.adapter.call('oracle__add', { b: 1 });
		await until('the source has got it', () => JSON.parse(spawnSync('python3', ['-c',
			`import fcntl,struct,os;print(struct.unpack('i',fcntl.ioctl(os.open('/proc/${all.source}/fd/0',os.O_RDONLY|os.O_NONBLOCK),0x541B,b'0000'))[0])`,
		], { encoding: 'latin1' }).stdout || '0') > 0);
		process.kill(all.pid, 'SIGKILL');
		await answered(hub, all, answer, 'outcome_unknown', 0);
		assert(!alive(all.source), 'and the source went with its daemon');
	},

	async row_19_killed_between_effect_and_done(hub) {
		const all = await settled(hub);
		const answer = all.adapter.call('oracle__hold', { b: 1 });
		await until('it runs', () => effects(hub).length === 2);
		process.kill(all.pid, 'SIGKILL');
		await answered(hub, all, answer, 'outcome_unknown', 1);
	},

	// When it is written down that it ended, nobody can know how it did.
	row_19_killed_as_the_result_is_written_down: ['strace', 'root', async hub => {
		const all = await settled(hub);
		const answer = all.adapter.call('oracle__slow', { ms: 2000, b: 1 });
		await until('it runs', () => effects(hub).length === 2);
		await killAt(all.pid, [path.join(hub.dir, 'executor.db-wal')], 'pwrite64');
		await answered(hub, all, answer, 'outcome_unknown', 1);
	}],

	row_19_killed_between_done_and_the_reply: ['strace', 'root', async hub => {
		const all = await settled(hub);
		const answer = all.adapter.call('oracle__slow', { ms: 2000, b: 1 });
		await until('it runs', () => effects(hub).length === 2);
		await pause(300); // its acknowledgement
		await killAt(all.pid, descriptors(all.pid).filter(f => f.startsWith('socket:')), 'write');
		await answered(hub, all, answer, 'result', 1);
	}],

	// The clock of the wall goes by steps of a year, to and fro; nobody takes
	// it for time that has passed.
	row_54_the_clock_jumps: ['faketime', async hub => {
		const clock = path.join(hub.root, 'clock');
		const jump = by => {
			fs.writeFileSync(`${clock}.new`, `${by}\n`);
			fs.renameSync(`${clock}.new`, clock);
		};
		const env = { LD_PRELOAD: faketime(), FAKETIME_TIMESTAMP_FILE: clock, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1', ASAN_OPTIONS: 'detect_leaks=0:verify_asan_link_order=0' };
		const words = Object.entries(env).map(([k, v]) => `${k}='${v}'`).join(' ');
		jump('+0');
		rig(hub, `${words} exec env '${executord}' --stuck-after 5 "$@"`);
		await addOracle(hub);
		const adapter = await connected(hub, { env: { ...hub.env, ...env } });
		let pid = owner(hub);
		for (const by of ['+1y', '-1y', '+0']) {
			const slow = adapter.call('oracle__slow', { ms: 1000, by });
			await until('it runs', () => effects(hub).some(l => l.startsWith('slow') && l.includes(`"${by}"`)));
			jump(by);
			assert((await slow).result, 'what was running');
			await call(adapter, { by });
			same(owner(hub), pid, 'the daemon');
			// A start in the other time, and what it makes of a call that
			// was accepted a year ago, or in a year.
			const lost = adapter.call('oracle__hold', { by });
			await until('it runs', () => effects(hub).some(l => l.startsWith('hold') && l.includes(`"${by}"`)));
			jump(by === '+1y' ? '-1y' : '+1y');
			process.kill(pid, 'SIGKILL');
			const m = await lost;
			same(m.error?.data?.reason, 'outcome_unknown', JSON.stringify(m));
			await call(adapter, { again: by });
			pid = owner(hub);
		}
		same(effects(hub).length, 12, 'executions');
		same(new Set(effects(hub)).size, 12, 'different ones');
		const years = new Set(log(hub).match(/^\d{4}(?=-)/gm));
		assert(years.size >= 2, `the daemons have seen the clock jump: ${[...years]}`);
		assert(!/has not turned|crash_loop/.test(log(hub)), 'nothing was taken for a hang');
	}],

	// All of it at once: the machine slept.
	async row_55_the_whole_tree_is_suspended(hub) {
		rig(hub, `exec '${executord}' ${full ? '' : '--stuck-after 1'} "$@"`);
		await addOracle(hub);
		const adapter = await connected(hub);
		const pid = owner(hub);
		const answer = adapter.call('oracle__slow', { ms: 500, b: 1 });
		await until('it runs', () => effects(hub).length === 1);
		for (const order of [1, -1]) {
			const tree = hub.left();
			tree.forEach(p => process.kill(p, 'SIGSTOP'));
			const asleep = adapter.call('oracle__add', { order });
			await pause(full ? 60000 : 3000);
			tree.sort((a, b) => order * (a - b)).forEach(p => process.kill(p, 'SIGCONT'));
			assert((await asleep).result, 'what was asked meanwhile');
		}
		assert((await answer).result, 'what was running');
		same(owner(hub), pid, 'the same daemon');
		same(effects(hub).length, 3, 'executions');
		same(adapter.stderr, '', 'what the adapter says');
	},

	// Modes are the first door, and the peer's user the second.
	row_60_another_user_at_the_socket: ['root', 'setpriv', '/usr/bin/python3', async hub => {
		await addOracle(hub);
		const pid = owner(hub);
		const socket = fs.realpathSync(hub.socket());
		const knock = () => spawnSync('setpriv', ['--reuid', '65534', '--regid', '65534', '--clear-groups', '/usr/bin/python3', '-c', `
import socket,sys
s=socket.socket(socket.AF_UNIX);s.settimeout(20)
try:
    s.connect(sys.argv[1])
except PermissionError:
    print('modes');sys.exit()
try:
    s.sendall(b'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n\\0\\0\\0\\4\\0\\0\\0\\0\\0')
    while True:
        b=s.recv(4096)
        if not b: break
        print('heard',len(b))
except (BrokenPipeError,ConnectionResetError):
    pass
print('closed')`, socket], { encoding: 'latin1', cwd: '/' }).stdout.trim();
		same(knock(), 'modes', 'what the modes say');
		const adapter = await connected(hub); // who comes mends the modes
		for (let dir = path.dirname(socket); dir.startsWith(hub.root); dir = path.dirname(dir))
			fs.chmodSync(dir, 0o755);
		fs.chmodSync(socket, 0o666);
		same(knock(), 'closed', 'what the daemon says');
		assert(/65534/.test(log(hub)), `it is in the log: ${log(hub)}`);
		await call(adapter, { served: 1 });
		same(owner(hub), pid, 'the daemon');
		for (let dir = path.dirname(socket); dir.startsWith(hub.root); dir = path.dirname(dir))
			fs.chmodSync(dir, 0o700);
	}],

	// A source without what it was given as its environment does not start.
	async the_key_is_not_what_it_was(hub) {
		await addOracle(hub);
		await hub.ok('daemon', 'stop');
		const key = path.join(hub.dir, 'key'), good = fs.readFileSync(key);
		const put = (bytes, mode = 0o600) => {
			fs.rmSync(key, { recursive: true, force: true });
			fs.writeFileSync(key, bytes, { mode });
		};
		const wrongs = {
			'is missing': () => fs.rmSync(key),
			'has 7 bytes': () => put(good.subarray(0, 7)),
			'is open to others': () => {
				put(good);
				fs.chmodSync(key, 0o644);
			},
			'is not the key': () => put(Buffer.alloc(32, 7)),
			'is not a file': () => {
				fs.rmSync(key);
				fs.mkdirSync(key);
			},
		};
		let n = 0;
		for (const [words, spoil] of Object.entries(wrongs)) {
			spoil();
			const adapter = await connected(hub);
			const m = await adapter.call('oracle__add', { words });
			const said = JSON.stringify(m) + await hub.ok('source', 'show', 'oracle');
			assert(!m.result && said.includes(words) && said.includes(key), `${words}: ${said}`);
			same(effects(hub).length, n, 'executions');
			await adapter.close();
			await hub.ok('daemon', 'stop');
			put(good);
			const healed = await connected(hub);
			await call(healed, { healed: words });
			same(effects(hub).length, ++n, 'executions');
			await healed.close();
			await hub.ok('daemon', 'stop');
		}
	},

	async the_database_is_exchanged_under_a_daemon(hub) {
		await addOracle(hub);
		const adapter = await connected(hub);
		await call(adapter, { before: 1 });
		const db = path.join(hub.dir, 'executor.db');
		fs.renameSync(db, `${db}.away`);
		await pause(300); // it looks ten times a second
		const m = await adapter.call('oracle__add', { meanwhile: 1 });
		same(m.error?.data?.reason, 'mismatch', JSON.stringify(m));
		assert(m.error.message.includes(db), m.error.message);
		same(effects(hub).length, 1, 'executions');
		fs.renameSync(`${db}.away`, db);
		await until('it goes on', async () => (await adapter.call('oracle__add', { after: Math.random() })).result);
	},
});
