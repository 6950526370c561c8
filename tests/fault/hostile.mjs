// Rows about where a daemon is born and lives: what its first client hands
// down, what takes it along, and what the system does not have.
import { spawn, spawnSync } from 'node:child_process';
import {
	addOracle, alive, assert, assertNoDuplicates, bin, bounded, call, connected, executord, fs, injecting, log, owner, path, pause, rig, rows, same, until, withOptions,
} from '../support/faults.mjs';

const adapter = path.join(bin, 'executor-mcp-adapter');

function script(hub, text) {
	const file = path.join(hub.root, `script-${Math.random().toString(36).slice(2)}`);
	fs.writeFileSync(file, `#!/bin/bash\n${text}\n`, { mode: 0o755 });
	return { command: file };
}

// Fields of /proc/pid/stat behind the name: state, ppid, pgrp, session, ...
const stat = pid => fs.readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ');
const parents = pid => {
	const chain = [];
	for (let p = pid; p > 1; p = Number(stat(p)[1]))
		chain.push(p);
	return chain;
};
const isMounted = file => fs.readFileSync('/proc/self/mountinfo', 'latin1').includes(` ${file} `);

await rows({
	async row_27_descriptors_that_the_client_leaks(hub) {
		const held = path.join(hub.root, 'held');
		const first = hub.adapter(script(hub, `exec 200>'${held}'; flock 200
for fd in $(seq 3 199); do eval "exec $fd</dev/null"; done
exec '${adapter}'`));
		await first.initialize();
		await first.tools();
		const pid = owner(hub);
		for (const fd of fs.readdirSync(`/proc/${pid}/fd`)) {
			const target = fs.readlinkSync(`/proc/${pid}/fd/${fd}`);
			assert(target !== held && (Number(fd) < 3 || target !== '/dev/null' || Number(fd) < 40), `descriptor ${fd} is ${target}`);
		}
		assert(fs.readdirSync(`/proc/${pid}/fd`).length < 60, 'few descriptors');
		await first.close();
		same(spawnSync('flock', ['-n', held, 'true']).status, 0, 'the lock of the client is free');
		assert(alive(pid), 'the daemon lives');
	},

	async row_28_group_session_and_tree_are_killed(hub) {
		await addOracle(hub);
		await hub.ok('daemon', 'stop');
		for (const how of ['group', 'session', 'tree']) {
			const first = await connected(hub, script(hub, `exec setsid '${adapter}'`));
			const pid = owner(hub);
			assert(!parents(pid).includes(first.pid), 'no descendant');
			assert(stat(pid)[3] !== stat(first.pid)[3] && stat(pid)[2] !== stat(first.pid)[2], 'a session and a group of its own');
			const victims = fs.readdirSync('/proc').filter(p => /^\d+$/.test(p)).map(Number).filter(p => {
				try {
					return how === 'tree' ? parents(p).includes(first.pid) :
						stat(p)[how === 'group' ? 2 : 3] === stat(first.pid)[how === 'group' ? 2 : 3];
				} catch {
					return false;
				}
			});
			assert(victims.includes(first.pid) && !victims.includes(process.pid), `victims: ${victims}`);
			victims.forEach(p => process.kill(p, 'SIGKILL'));
			await bounded(first.exited, 'the kill');
			await call(await connected(hub), { how });
			same(owner(hub), pid, `the daemon, after the ${how} was killed`);
			await hub.ok('daemon', 'stop');
		}
	},

	row_29_the_terminal_closes: ['script', async hub => {
		const terminal = spawn('script', ['-qec', `'${path.join(bin, 'executor')}' tools list; exec sleep 300`, '/dev/null'],
			{ env: hub.env, stdio: ['pipe', 'ignore', 'ignore'] });
		const pid = await until('a daemon', () => hub.manifest() && owner(hub));
		assert(stat(pid)[4] === '0', 'no terminal');
		await until('the command has ended', () => spawnSync('pgrep', ['-P', String(terminal.pid)]).status === 0);
		terminal.kill('SIGKILL');
		await pause(300);
		assert(alive(pid), 'the daemon lives');
		await connected(hub);
		same(owner(hub), pid, 'and serves');
		await until('nothing of the terminal is left', () => {
			for (const p of hub.left())
				if (fs.readFileSync(`/proc/${p}/cmdline`, 'latin1').startsWith('sleep\0'))
					process.kill(p, 'SIGKILL');
			return !hub.left().some(p => alive(p) && fs.readFileSync(`/proc/${p}/cmdline`, 'latin1').startsWith('sleep\0'));
		});
	}],

	row_31_the_cgroup_is_killed: ['root', 'cgroup', async hub => {
		const group = `/sys/fs/cgroup/executor-test-${process.pid}`;
		await addOracle(hub);
		await hub.ok('daemon', 'stop');
		fs.mkdirSync(group);
		try {
			const inside = await connected(hub, script(hub, `echo $$ > ${group}/cgroup.procs; exec '${adapter}'`));
			const pid = owner(hub);
			const outside = await connected(hub);
			await call(outside, { before: 1 });
			fs.writeFileSync(`${group}/cgroup.kill`, '1');
			await bounded(inside.exited, 'the kill');
			await until('the daemon went along', () => !alive(pid));
			await call(outside, { after: 1 });
			assert(!outside.exit, 'the same adapter');
			assertNoDuplicates(hub);
		} finally {
			await until('the cgroup is empty', () => fs.readFileSync(`${group}/cgroup.procs`, 'latin1') === '');
			fs.rmdirSync(group);
		}
	}],

	async row_41_what_the_first_client_had(hub) {
		const first = await connected(hub, script(hub, `export SECRET=hunter2 LC_ALL=C PATH=/strange:$PATH LD_LIBRARY_PATH=/strange
umask 000; ulimit -S -n 64; ulimit -S -c unlimited 2>/dev/null; cd /tmp
exec '${adapter}'`));
		const pid = owner(hub);
		const environ = fs.readFileSync(`/proc/${pid}/environ`, 'latin1');
		assert(!/SECRET|hunter2|strange|LC_ALL/.test(environ), environ);
		same(fs.readlinkSync(`/proc/${pid}/cwd`), '/', 'working directory');
		const limits = fs.readFileSync(`/proc/${pid}/limits`, 'latin1');
		assert(Number(/Max open files +(\d+)/.exec(limits)[1]) > 64, limits);
		same(/Max core file size +(\d+)/.exec(limits)[1], '0', 'core files');
		for (const name of ['executor.db', 'owner.lock', 'run/manifest', 'logs/executord.log'])
			same(fs.statSync(path.join(hub.dir, name)).mode & 0o777, 0o600, name);
		await first.close();
	},

	row_42_the_working_directory_is_not_pinned: ['root', 'tmpfs', async hub => {
		const mount = path.join(hub.root, 'mnt');
		fs.mkdirSync(mount);
		same(spawnSync('mount', ['-t', 'tmpfs', 'none', mount]).status, 0, 'mount');
		try {
			const first = await connected(hub, { cwd: mount });
			await first.close();
			assert(alive(owner(hub)), 'the daemon lives');
		} finally {
			spawnSync('umount', [mount]);
		}
		assert(!isMounted(mount), 'it could be unmounted');
	}],

	row_43_the_first_client_is_in_a_sandbox: ['root', 'setpriv', async hub => {
		await addOracle(hub);
		await hub.ok('daemon', 'stop');
		for (const sandbox of ['unshare -n', 'setpriv --no-new-privs', 'unshare -i -u']) {
			const inside = await connected(hub, script(hub, `exec ${sandbox} '${adapter}'`));
			const pid = owner(hub);
			await call(inside, { inside: sandbox });
			await call(await connected(hub), { outside: sandbox });
			same(owner(hub), pid, 'one daemon');
			await hub.ok('daemon', 'stop');
		}
	}],

	row_46_the_manifest_cannot_be_written: ['strace', 'root', async hub => {
		await connected(hub);
		await hub.ok('daemon', 'stop');
		for (const [error, reason] of [['ENOSPC', 'no_space'], ['EIO', 'io_error'], ['EACCES', 'io_error']]) {
			rig(hub, injecting(hub, [`rename,renameat,renameat2:error=${error}:when=2+`], { once: false }));
			const client = hub.adapter();
			await client.initialize();
			const m = await client.ask('tools/list', {});
			assert([reason, 'crash_loop'].includes(m.error?.data?.reason), JSON.stringify(m));
			assert(m.error.message.includes(hub.dir), m.error.message);
			assert(new RegExp(`reason=${reason} .*run/`).test(log(hub)), 'the log has the cause');
			await until('nobody owns what cannot be found', () => owner(hub) === 0);
			rig(hub, withOptions(''));
			await until('it heals', async () => (await client.ask('tools/list', {})).result, 60000);
			await client.close();
			await hub.ok('daemon', 'stop');
		}
	}],

	// A file system whose lock excludes nobody: the database does, and the
	// fence.
	row_50_a_lock_that_is_granted_twice: ['strace', 'root', async hub => {
		await addOracle(hub);
		const client = await connected(hub);
		await call(client, { before: 1 });
		const first = owner(hub);
		const second = spawn('strace', ['-D', '-qq', '-o', '/dev/null', '-e', 'inject=flock:retval=0', executord, '--data-dir', hub.dir],
			{ env: { ...hub.env, ASAN_OPTIONS: 'detect_leaks=0' }, stdio: 'ignore' });
		const ended = new Promise(done => second.on('exit', done));
		// It finds the database in use, or the first one has noticed that it
		// is deposed, and has left.
		await until('one of them gives way', () => second.exitCode !== null || !alive(first));
		await call(client, { after: 1 });
		await call(await connected(hub), { other: 1 });
		assert(!(alive(first) && second.exitCode === null), 'one is left');
		if (second.exitCode === null) {
			second.kill('SIGKILL');
			await bounded(ended, 'the end of the second');
		}
		await call(client, { again: 1 });
		await until('the holder of the lock is the one that is found', () => owner(hub) && hub.manifest()?.pid === String(owner(hub)));
		assertNoDuplicates(hub);
	}],

	row_52_two_sets_of_namespaces: ['root', 'tmpfs', async hub => {
		await addOracle(hub);
		const pid = owner(hub);
		const inside = await connected(hub, script(hub, `exec unshare -mpn --fork --mount-proc '${adapter}'`));
		await call(inside, { inside: 1 });
		same(owner(hub), pid, 'the daemon outside');
		await inside.close();
		await hub.ok('daemon', 'stop');
		// And the other way round.
		const keeper = await connected(hub, script(hub, `exec unshare -mpn --fork --mount-proc bash -c "'${adapter}'; sleep 2"`));
		await call(keeper, { keeper: 1 });
		await call(await connected(hub), { outside: 1 });
		same(hub.daemons().length, 1, 'one daemon');
		assertNoDuplicates(hub);
		// Its namespace ends with its first process, and takes it along.
		const [inside_pid] = hub.daemons();
		await keeper.close();
		await until('the daemon is gone', () => !alive(inside_pid));
	}],

	async row_57_a_long_path(hub) {
		hub.dir = path.join(hub.home, 'd'.repeat(100), 'e'.repeat(100));
		hub.env.EXECUTOR_DATA_DIR = hub.dir;
		await addOracle(hub);
		await call(await connected(hub), { x: 1 });
		assert(!hub.manifest().socket.startsWith(hub.dir), hub.manifest().socket);
		const socket = hub.manifest().socket;
		await hub.ok('daemon', 'stop');
		assert(!fs.existsSync(socket), 'its socket is gone');
	},

	row_58_nothing_tells_of_changes: ['strace', 'root', async hub => {
		const trace = `ASAN_OPTIONS=detect_leaks=0 exec strace -D -qq -o /dev/null -e inject=inotify_init1,inotify_add_watch:error=EMFILE`;
		rig(hub, `${trace} '${executord}' "$@"`);
		const command = script(hub, `${trace} '${path.join(hub.bin, 'executor-mcp-adapter')}'`);
		await addOracle(hub);
		const clients = await Promise.all(Array.from({ length: 4 }, () => connected(hub, command)));
		await Promise.all(clients.map((c, i) => call(c, { i })));
		process.kill(owner(hub), 'SIGKILL');
		await Promise.all(clients.map((c, i) => call(c, { again: i })));
		// Nor is a manifest that was removed lost for ever.
		fs.rmSync(path.join(hub.dir, 'run', 'manifest'));
		await until('it is back', () => hub.manifest());
		assertNoDuplicates(hub);
	}],

	// What a killed daemon left running is ended by the next one, and nobody
	// else's.
	async processes_of_a_killed_daemon_are_ended(hub) {
		await addOracle(hub);
		const client = await connected(hub);
		const sources = () => hub.left().filter(p => fs.existsSync(`/proc/${p}/cmdline`) && /fake_source/.test(fs.readFileSync(`/proc/${p}/cmdline`, 'latin1')));
		const states = {
			idle: async () => {},
			working: async () => { client.call('oracle__slow', { ms: 3000, n: Math.random() }).catch(() => {}); await pause(200); },
			stopped: async () => sources().forEach(p => process.kill(p, 'SIGSTOP')),
		};
		for (const [name, enter] of Object.entries(states)) {
			await call(client, { up: name });
			const before = sources();
			assert(before.length > 0, `${name}: a source runs`);
			await enter();
			process.kill(owner(hub), 'SIGKILL');
			await call(client, { next: name });
			await until(`${name}: what was left is gone`, () => before.every(p => !alive(p)));
		}
		assertNoDuplicates(hub);
	},
});
