// Rows about electing one owner: who starts it, who dies on the way, and what
// lies in the directory.
import net from 'node:net';
import { spawn, spawnSync } from 'node:child_process';
import {
	addOracle, alive, assert, assertNoDuplicates, bin, bounded, call, connected, effects, executord, fs, full, Hub, injectedKills, injecting, log,
	owner, path, pause, rig, rows, same, until, withOptions,
} from '../support/faults.mjs';

const crowd = (hub, n, options) => Promise.all(Array.from({ length: n }, () => connected(hub, options)));

// Those that run executord, and not an injector.
const owners = hub => hub.daemons().filter(pid => {
	try {
		return fs.readlinkSync(`/proc/${pid}/exe`) === fs.realpathSync(executord);
	} catch {
		return false;
	}
});

// All adapters answered, and there was one owner ever: each counts the epoch
// up.
async function assertOneOwner(hub, epoch = '1') {
	same(hub.manifest()?.epoch, epoch, 'the epoch');
	const pid = owner(hub);
	same(hub.manifest().pid, String(pid), 'the manifest names the holder of the lock');
	await until('it is the only daemon', () => owners(hub).length === 1 && owners(hub)[0] === pid);
}

// An adapter that runs under the injector.
function injectedAdapter(hub, expressions, paths = []) {
	const command = path.join(hub.root, `injected-${Math.random().toString(36).slice(2)}`);
	fs.writeFileSync(command, `#!/bin/sh\nASAN_OPTIONS=detect_leaks=0 exec strace -D -qq -o /dev/null ${
		paths.map(p => `-P '${p}'`).join(' ')} ${expressions.map(e => `-e 'inject=${e}'`).join(' ')} '${
		path.join(hub.bin, 'executor-mcp-adapter')}'\n`, { mode: 0o755 });
	const adapter = hub.adapter({ command });
	adapter.write('{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"i","version":"1"}}}');
	adapter.write('{"jsonrpc":"2.0","id":"l","method":"tools/list"}');
	return adapter;
}

// Each kind of thing that may lie where a control file should.
const kinds = {
	noise: file => fs.writeFileSync(file, Buffer.from(Array.from({ length: 4096 }, () => Math.random() * 256)), { mode: 0o600 }),
	ones: file => fs.writeFileSync(file, Buffer.alloc(512, 0xff), { mode: 0o600 }),
	large: file => fs.writeFileSync(file, Buffer.alloc(10 << 20, 'x\n'), { mode: 0o600 }),
	json: file => fs.writeFileSync(file, '{"epoch":"one","pid":[1],"socket":null}\n', { mode: 0o600 }),
	directory: file => fs.mkdirSync(file),
	fifo: file => spawnSync('mkfifo', ['-m', '600', file]),
	link: file => fs.symlinkSync('/etc/passwd', file),
	socket: file => spawnSync('python3', ['-c', 'import socket,sys;socket.socket(socket.AF_UNIX).bind(sys.argv[1])', file]),
};

async function connectedWithOracle(hub) {
	if (!hub.effects)
		await addOracle(hub);
	return connected(hub);
}

await rows({
	async row_1_cold_start(hub) {
		await crowd(hub, full ? 64 : 24);
		await assertOneOwner(hub);
	},

	async row_2_no_directory_and_no_parents(hub) {
		const dir = path.join(hub.root, 'not', 'there', 'yet');
		hub.dir = dir;
		hub.env.EXECUTOR_DATA_DIR = dir;
		await crowd(hub, 16);
		await assertOneOwner(hub);
		same(fs.statSync(dir).mode & 0o777, 0o700, 'its mode');
	},

	async row_4_every_spelling_is_the_same_directory(hub) {
		fs.mkdirSync(path.join(hub.home, 'sub'));
		const spellings = [hub.dir, `${hub.dir}/`, `${hub.home}/sub/../.executor`, '../home/.executor/.'];
		await Promise.all(spellings.map(dir => connected(hub, {
			env: { ...hub.env, EXECUTOR_DATA_DIR: dir }, cwd: hub.home,
		})));
		await assertOneOwner(hub);
	},

	row_5_losers_during_a_slow_start: ['strace', 'root', async hub => {
		rig(hub, injecting(hub, ['fsync,fdatasync:delay_enter=2000000:when=1']));
		await crowd(hub, 12);
		await assertOneOwner(hub);
	}],

	row_7_adapter_killed_before_its_candidate_is_there: ['strace', 'root', async hub => {
		const victim = injectedAdapter(hub, ['clone,clone3,fork,vfork:signal=SIGKILL:when=1']);
		await bounded(victim.exited, 'the kill');
		same(victim.exit.signal, 'SIGKILL', 'how it ended');
		same(owner(hub), 0, 'nobody was started');
		const others = await crowd(hub, 6);
		await assertOneOwner(hub);
		assert(others.every(a => !a.exit), 'nobody else ended');
	}],

	row_8_adapter_killed_right_after_the_start: ['strace', 'root', async hub => {
		const victim = injectedAdapter(hub, ['wait4,waitid:signal=SIGKILL:when=1']);
		await bounded(victim.exited, 'the kill');
		same(victim.exit.signal, 'SIGKILL', 'how it ended');
		const pid = await until('its candidate goes on', () => hub.manifest() && owner(hub));
		await crowd(hub, 6);
		same(owner(hub), pid, 'and is the daemon of the others');
		await assertOneOwner(hub);
	}],

	row_9_candidate_killed_at_its_lock: ['strace', 'root', async hub => {
		rig(hub, injecting(hub, ['flock:signal=SIGKILL:when=1']));
		await crowd(hub, 8);
		same(injectedKills(hub), 1, 'kills');
		await assertOneOwner(hub);
	}],

	// At the commit of the epoch, at each file that is published, and at the
	// first who connects.
	row_10_candidate_killed_at_every_step: ['strace', 'root', async hub => {
		await connected(hub);
		await hub.ok('daemon', 'stop');
		const steps = ['pwrite64:when=1', 'pwrite64:when=2', 'pwrite64:when=3', 'fdatasync:when=1', 'fdatasync:when=2', 'fdatasync:when=3',
			'unlinkat:when=1', 'unlinkat:when=2', 'bind:when=1', 'listen:when=1', 'rename,renameat,renameat2:when=1',
			'rename,renameat,renameat2:when=2', 'rename,renameat,renameat2:when=3', 'symlinkat,symlink:when=1', 'accept4:when=1'];
		const chosen = steps.filter((_, i) => full || i % 2 === 0);
		for (const step of chosen) {
			const [calls, when] = step.split(':');
			const epoch = Number(hub.manifest()?.epoch ?? 0);
			rig(hub, injecting(hub, [`${calls}:signal=SIGKILL:${when}`]));
			const adapters = await crowd(hub, 4);
			assert(Number(hub.manifest().epoch) > epoch, `${step}: the epoch rises`);
			for (const a of adapters)
				await a.close();
			rig(hub, withOptions(''));
			await hub.ok('daemon', 'stop');
		}
		await until('each has killed one', () => injectedKills(hub) === chosen.length);
	}],

	async row_12_garbage_in_every_control_file(hub) {
		const passwd = fs.readFileSync('/etc/passwd', 'latin1');
		const lanes = Object.keys(kinds).filter(k => full || ['noise', 'directory', 'fifo', 'link'].includes(k)).map((kind, i) => [kind, i === 0 ? hub : new Hub()]);
		for (let i = 0; i < lanes.length; i += 4)
			await Promise.all(lanes.slice(i, i + 4).map(async ([kind, lane]) => {
				await connected(lane);
				for (const name of ['run/manifest', 'run/boot', 'owner.lock', 'spawn.lock', 'run/executor.sock']) {
					const file = path.join(lane.dir, name);
					const what = `${kind} as ${name}`;
					for (const a of lane.adapters)
						if (!a.exit)
							await a.close();
					await lane.ok('daemon', 'stop');
					fs.rmSync(file, { force: true, recursive: true });
					kinds[kind](file);
					const adapter = lane.adapter();
					await adapter.initialize();
					const m = await adapter.ask('tools/list', {});
					if (m.error) {
						assert(m.error.message.includes(file), `${what}: ${m.error.message}`);
						fs.rmSync(file, { recursive: true });
						await until(`${what}: it heals`, async () => (await adapter.ask('tools/list', {})).result, 60000);
					}
					await until(`${what}: the manifest is true`, () => lane.manifest()?.pid === String(owner(lane)));
				}
				if (lane !== hub)
					await lane.finish();
			}));
		same(fs.readFileSync('/etc/passwd', 'latin1'), passwd, 'nothing was written through a link');
	},

	async row_13_a_manifest_that_names_a_stranger(hub) {
		await addOracle(hub);
		const text = fs.readFileSync(path.join(hub.dir, 'run', 'manifest'), 'latin1');
		await hub.ok('daemon', 'stop');
		const stranger = spawn('sleep', ['300']);
		try {
			const ticks = fs.readFileSync(`/proc/${stranger.pid}/stat`, 'latin1').split(') ')[1].split(' ')[19];
			fs.writeFileSync(path.join(hub.dir, 'run', 'manifest'), text
				.replace(/^pid .*$/m, `pid ${stranger.pid}`).replace(/^start_ticks .*$/m, `start_ticks ${ticks}`), { mode: 0o600 });
			await call(await connected(hub), { x: 1 });
			assert(alive(stranger.pid) && stranger.signalCode === null, 'the stranger was left alone');
			await assertOneOwner(hub, '2');
		} finally {
			stranger.kill('SIGKILL');
		}
	},

	async row_15_a_stale_manifest_and_a_crowd(hub) {
		await connected(hub);
		process.kill(owner(hub), 'SIGKILL');
		await crowd(hub, full ? 64 : 32);
		await assertOneOwner(hub, '2');
	},

	async row_17_owner_killed_under_idle_sessions(hub) {
		await addOracle(hub);
		const adapters = await crowd(hub, 10);
		process.kill(owner(hub), 'SIGKILL');
		await Promise.all(adapters.map((a, i) => call(a, { i })));
		assert(adapters.every(a => !a.exit), 'the same adapters');
		await assertOneOwner(hub, '2');
		same(assertNoDuplicates(hub).length, 10, 'executions');
	},

	async row_21_adapters_killed_with_calls_in_flight(hub) {
		rig(hub, withOptions('--idle-exit 1 --detached 1'));
		await addOracle(hub);
		const pid = owner(hub);
		const adapters = await crowd(hub, 12);
		const calls = adapters.map((a, i) => a.call('oracle__slow', { ms: 1500, i }).catch(() => null));
		await until('all run', () => effects(hub).length === 12);
		await Promise.all(adapters.filter((_, i) => i % 2).map(a => a.kill()));
		for (const [i, m] of (await Promise.all(calls)).entries())
			assert(i % 2 || m?.result, `a survivor's answer: ${JSON.stringify(m)}`);
		same(owner(hub), pid, 'the daemon');
		for (const a of adapters)
			if (!a.exit)
				await a.close();
		await until('the idle exit', () => !alive(pid));
		same(assertNoDuplicates(hub).length, 12, 'executions');
	},

	row_22_the_holder_of_spawn_lock_is_stopped: ['strace', 'root', async hub => {
		fs.mkdirSync(hub.dir, { mode: 0o700 });
		const victim = injectedAdapter(hub, ['flock:signal=SIGSTOP'], [path.join(hub.dir, 'spawn.lock')]);
		await until('it is stopped', () => /\) [tT] /.test(fs.readFileSync(`/proc/${victim.pid}/stat`, 'latin1')));
		await crowd(hub, 8);
		await assertOneOwner(hub);
		process.kill(victim.pid, 'SIGCONT');
		await until('it goes on', () => victim.answers.get('l') === 1);
		await assertOneOwner(hub);
	}],

	async row_30_ctrl_z_during_the_start(hub) {
		const groupOf = pid => fs.readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ')[2];
		const script = path.join(hub.root, 'group');
		fs.writeFileSync(script, `#!/bin/sh\nexec setsid '${path.join(bin, 'executor-mcp-adapter')}'\n`, { mode: 0o755 });
		for (let ms = 0; ms <= 12; ms += 4) {
			const stopped = hub.adapter({ command: script });
			const answer = stopped.initialize().then(() => stopped.tools());
			await pause(ms);
			if (ms > 0) // else whatever it has come to
				await until('a group of its own', () => groupOf(stopped.pid) !== groupOf('self'));
			process.kill(stopped.pid, 'SIGSTOP');
			await call(await connectedWithOracle(hub), { ms });
			process.kill(stopped.pid, 'SIGCONT');
			assert((await answer).length > 0, 'and the one that was stopped');
			await stopped.close();
			await hub.ok('daemon', 'stop');
		}
	},

	async row_32_sigterm_with_calls_in_flight(hub) {
		await addOracle(hub);
		const adapters = await crowd(hub, 5);
		const calls = adapters.map((a, i) => a.call('oracle__slow', { ms: 1500, i }));
		await until('all run', () => effects(hub).length === 5);
		const pid = owner(hub);
		process.kill(pid, 'SIGTERM');
		await until('nobody finds it any more', () => !hub.manifest());
		same(owner(hub), pid, 'and it still holds the lock');
		for (const m of await Promise.all(calls))
			assert(m.result, `a running call's answer: ${JSON.stringify(m)}`);
		await call(adapters[0], { next: 1 });
		assert(!alive(pid) && owner(hub) !== pid, 'a successor');
		same(assertNoDuplicates(hub).length, 6, 'executions');
	},

	async row_60_who_breaks_the_protocol_disturbs_nobody(hub) {
		await addOracle(hub);
		const pid = owner(hub);
		const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
		const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
		const bad = [
			Buffer.from('GET / HTTP/1.1\r\n\r\n'),
			Buffer.alloc(1 << 20, 0xff),
			Buffer.concat([Buffer.from(preface), settings, Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1])]),
			Buffer.concat([Buffer.from(preface), settings, Buffer.from([0, 0, 4, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0])]),
		];
		const ends = bad.map(bytes => new Promise(done => {
			const s = net.connect(hub.manifest().socket);
			s.on('error', () => {}).on('close', done).resume();
			s.write(bytes);
		}));
		await call(await connected(hub), { x: 1 });
		await bounded(Promise.all(ends), 'they are closed', 60000);
		same(owner(hub), pid, 'the daemon');
		assert(/peer .*closed reason=protocol_error/.test(log(hub)), 'and named in the log');
	},
});
