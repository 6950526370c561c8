// What the machine refuses: each refusal has a reason of its own, and a text
// that names the cause, the file and the remedy, to the MCP client and to
// `executor doctor`; and the next try after the repair succeeds by itself.
import { spawnSync } from 'node:child_process';
import {
	addOracle, assert, assertNoDuplicates, bin, call, connected, effects, executord, fs, full, Hub, injecting, log, owner, path, pause, rig,
	rows, same, until, withOptions,
} from '../support/faults.mjs';

// The client's error: its reason, and every word that it must have.
async function refused(hub, reason, words, options) {
	const adapter = hub.adapter(options);
	await adapter.initialize();
	const m = await adapter.ask('tools/list', {});
	same(m.error?.data?.reason, reason, JSON.stringify(m));
	for (const word of words)
		assert(m.error.message.includes(word), `"${word}" is not in: ${m.error.message}`);
	return adapter;
}

async function diagnosed(hub, words, args = []) {
	const r = await hub.executor('doctor', ...args);
	same(r.code, 1, `doctor: ${r.out}`);
	for (const word of words)
		assert(r.out.includes(word), `"${word}" is not in: ${r.out}`);
}

const works = async adapter => assert((await adapter.ask('tools/list', {})).result, 'it works again');

function sh(command) {
	const r = spawnSync('sh', ['-c', command], { encoding: 'latin1' });
	assert(r.status === 0, `${command}: ${r.stderr}`);
}

// Run body with a small file system of its own as the data directory.
async function mounted(hub, options, body) {
	fs.mkdirSync(hub.dir, { mode: 0o700 });
	sh(`mount -t tmpfs -o mode=700,${options} none '${hub.dir}'`);
	try {
		await body();
		for (const a of hub.adapters)
			if (!a.exit)
				await a.close();
		if (hub.daemons().length > 0)
			await hub.ok('daemon', 'stop');
		await until('nothing is left', () => hub.left().length === 0);
		hub.assertSane();
	} finally {
		sh(`umount -l '${hub.dir}'`);
	}
}

const size = full ? 32 : 8;

await rows({
	row_44_disk_full: ['root', 'tmpfs', hub => mounted(hub, 'size=512k', async () => {
		fs.mkdirSync(path.join(hub.dir, 'run'), { mode: 0o700 });
		const ballast = path.join(hub.dir, 'ballast');
		spawnSync('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=4k']);
		const crowd = await Promise.all(Array.from({ length: size }, () =>
			refused(hub, 'no_space', [hub.dir, 'free some space'])));
		same(owner(hub), 0, 'nobody owns what cannot be published');
		await diagnosed(hub, ['0 MiB are free there', 'make room']);
		fs.rmSync(ballast);
		await until('it heals by itself', async () => (await crowd[0].ask('tools/list', {})).result, 60000);
		await Promise.all(crowd.map(works));
		same(hub.daemons().length, 1, 'daemons');
	})],

	row_47_read_only_without_an_owner: ['root', 'tmpfs', hub => mounted(hub, 'size=8m', async () => {
		sh(`mount -o remount,ro '${hub.dir}'`);
		const adapter = await refused(hub, 'read_only', [hub.dir, 'make it writable']);
		await diagnosed(hub, ['it is mounted read-only', 'remount,rw']);
		sh(`mount -o remount,rw '${hub.dir}'`);
		await until('it heals by itself', async () => (await adapter.ask('tools/list', {})).result, 60000);
	})],

	// The owner lives where it can write; the client sees a read-only view.
	row_47_read_only_view_of_a_live_owner: ['root', 'tmpfs', async hub => {
		await addOracle(hub);
		const pid = owner(hub);
		const script = path.join(hub.root, 'view');
		fs.writeFileSync(script, `#!/bin/sh\nmount --bind '${hub.dir}' '${hub.dir}' && mount -o remount,ro,bind '${hub.dir}' || exit 99
touch '${hub.dir}/x' 2>/dev/null && exit 98\nexec '${path.join(bin, 'executor-mcp-adapter')}'\n`, { mode: 0o755 });
		const adapter = hub.adapter({ command: 'unshare', args: ['-m', script] });
		await adapter.initialize();
		await call(adapter, { x: 1 });
		same(owner(hub), pid, 'the daemon');
	}],

	async row_56_corrupt_database_and_crash_loop(hub) {
		await addOracle(hub);
		await hub.ok('daemon', 'stop');
		const db = path.join(hub.dir, 'executor.db');
		const good = fs.readFileSync(db);
		fs.writeFileSync(db, Buffer.concat([Buffer.from('not a database at all'), good.subarray(21)]));
		const adapters = await Promise.all(Array.from({ length: size }, async () => {
			const adapter = hub.adapter();
			await adapter.initialize();
			return adapter;
		}));
		const begin = Date.now();
		const errors = [];
		do {
			for (const m of await Promise.all(adapters.map(a => a.ask('tools/list', {}))))
				errors.push(m.error);
		} while (Date.now() - begin < (full ? 60000 : 0));
		for (const e of errors) {
			assert(['corrupt', 'crash_loop'].includes(e?.data?.reason), JSON.stringify(e));
			assert(/is not a database/.test(e.message), `the cause: ${e.message}`);
			assert(e.message.includes(`${hub.dir}/logs/executord.log`), `the log: ${e.message}`);
		}
		assert(errors.some(e => /restore a backup/.test(e.message)), 'the remedy');
		const starts = log(hub).split('reason=corrupt').length - 1;
		assert(starts >= 1 && starts <= 12, `${starts} starts`);
		await diagnosed(hub, ['is not a database'], ['--start']);
		fs.writeFileSync(db, good);
		await until('it heals when repaired', async () => (await adapters[0].ask('tools/list', {})).result, 90000);
		await call(adapters[0], { healed: 1 });
	},

	async a_newer_database_is_named(hub) {
		await hub.ok('tools', 'list');
		await hub.ok('daemon', 'stop');
		const db = path.join(hub.dir, 'executor.db');
		const bytes = fs.readFileSync(db);
		const version = bytes.readUInt32BE(60); // PRAGMA user_version
		bytes.writeUInt32BE(4711, 60);
		fs.writeFileSync(db, bytes);
		const adapter = await refused(hub, 'version', ['schema version 4711', db, 'install the newer executor']);
		await diagnosed(hub, ['schema version 4711'], ['--start']);
		bytes.writeUInt32BE(version, 60);
		fs.writeFileSync(db, bytes);
		await works(adapter);
	},

	row_49_locks_unsupported: ['strace', 'root', async hub => {
		for (const error of full ? ['ENOLCK', 'EOPNOTSUPP', 'EBADF'] : ['ENOLCK']) {
			rig(hub, injecting(hub, [`flock:error=${error}`], { once: false }));
			const adapter = await refused(hub, 'fs_no_locks', [`${hub.dir}/owner.lock`, 'flock()', '--data-dir']);
			same(owner(hub), 0, 'nobody serves without the lock');
			await diagnosed(hub, ['flock()'], ['--start']);
			rig(hub, withOptions(''));
			await until('it heals', async () => (await adapter.ask('tools/list', {})).result, 60000);
			await adapter.close();
			await hub.ok('daemon', 'stop');
		}
	}],

	row_48_no_descriptors: ['root', async hub => {
		rig(hub, `ulimit -n 6; ${withOptions('')}`);
		const adapter = await refused(hub, 'no_descriptors', ['ulimit -n', hub.dir]);
		await diagnosed(hub, ['ulimit -n'], ['--start']);
		rig(hub, withOptions(''));
		await until('it heals', async () => (await adapter.ask('tools/list', {})).result, 60000);
	}],

	// A crowd that takes every descriptor of a daemon is turned away, without
	// a spin, and those who are in go on.
	row_48_no_descriptors_for_more_clients: ['root', 'prlimit', async hub => {
		await addOracle(hub);
		const adapter = await connected(hub);
		const pid = owner(hub);
		await call(adapter, { before: 1 });
		const used = fs.readdirSync(`/proc/${pid}/fd`).length;
		sh(`prlimit --pid ${pid} --nofile=${used + 4}:`);
		const net = await import('node:net');
		const socket = hub.manifest().socket;
		const crowd = Array.from({ length: 50 }, () => net.connect(socket).on('error', () => {}));
		await until('it says so', () => /accept: Too many open files/.test(log(hub)));
		const ticks = () => fs.readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ').slice(11, 13).reduce((a, b) => a + Number(b), 0);
		const before = ticks();
		await pause(1000);
		assert(ticks() - before < 50, `no spin: ${ticks() - before} ticks in a second`);
		await call(adapter, { meanwhile: 1 });
		crowd.forEach(s => s.destroy());
		await call(await connected(hub), { after: 1 });
		assertNoDuplicates(hub);
	}],

	row_48_no_processes: ['strace', 'root', async hub => {
		// The adapter's own fork, and the daemon's for a source.
		const command = path.join(hub.root, 'adapter');
		fs.writeFileSync(command, `#!/bin/sh\nASAN_OPTIONS=detect_leaks=0 exec strace -D -qq -o /dev/null -e inject=clone,clone3,fork,vfork:error=EAGAIN '${path.join(bin, 'executor-mcp-adapter')}'\n`, { mode: 0o755 });
		const adapter = await refused(hub, 'no_processes', ['ulimit -u', 'executord'], { command });
		await hub.ok('tools', 'list'); // another one can
		await works(adapter);
		fs.writeFileSync(command, `#!/bin/sh\nASAN_OPTIONS=detect_leaks=0 exec strace -D -qq -o /dev/null -e inject=clone,clone3,fork,vfork:error=EAGAIN '${path.join(bin, 'executor')}' doctor\n`, { mode: 0o755 });
		const doctor = await hub.run(command, []);
		same(doctor.code, 1, 'doctor finds it');
		assert(/✗ no process can be started: .*ulimit -u/.test(doctor.out), doctor.out);
		await hub.ok('daemon', 'stop');
		rig(hub, injecting(hub, ['clone,clone3,fork,vfork:error=EAGAIN:when=1']));
		await hub.executor('source', 'add', 'everything', '--', 'true');
		const r = await hub.executor('source', 'test', 'everything');
		assert(r.code !== 0, 'the test of the source');
		assert(/ulimit -u/.test(log(hub) + r.err), r.err + log(hub));
	}],

	row_53_foreign_owner: ['root', 'setpriv', async hub => {
		// Root does not adopt a user's directory, nor the other way round.
		fs.mkdirSync(hub.dir, { mode: 0o700 });
		fs.chownSync(hub.dir, 65534, 65534);
		const adapter = await refused(hub, 'wrong_owner', [hub.dir, 'uid 65534', 'this is uid 0', '--data-dir']);
		await diagnosed(hub, ['owned by user 65534', 'chown']);
		same(fs.readdirSync(hub.dir), [], 'nothing was made there');
		await adapter.close();

		const other = new Hub();
		fs.chmodSync(other.root, 0o755);
		fs.chmodSync(other.home, 0o755);
		await addOracle(other);
		const pid = owner(other);
		const before = fs.readdirSync(other.dir).sort();
		const command = path.join(other.root, 'somebody');
		fs.writeFileSync(command, `#!/bin/sh\nexec setpriv --reuid 65534 --regid 65534 --clear-groups '${path.join(other.root, 'adapter')}' --data-dir '${other.dir}'\n`, { mode: 0o755 });
		fs.copyFileSync(path.join(bin, 'executor-mcp-adapter'), path.join(other.root, 'adapter'));
		const guest = other.adapter({ command });
		await guest.initialize();
		const m = await guest.ask('tools/list', {});
		assert(['wrong_owner', 'io_error', 'permission_denied'].includes(m.error?.data?.reason), JSON.stringify(m));
		assert(m.error.message.includes(other.dir), m.error.message);
		await guest.close();
		same(owner(other), pid, 'the daemon');
		same(fs.readdirSync(other.dir).sort(), before, 'files');
		await other.finish();
	}],

	row_23_a_stopped_candidate_is_named: ['strace', 'root', async hub => {
		rig(hub, injecting(hub, ['flock:signal=SIGSTOP:when=1'], { paths: [path.join(hub.dir, 'owner.lock')] }));
		const first = hub.adapter();
		await first.initialize();
		const waiting = first.ask('tools/list', {});
		const pid = await until('it holds the lock', () => owner(hub), 20000);
		const second = await refused(hub, 'daemon_stopped', [`pid ${pid}`, `kill -CONT ${pid}`, hub.dir]);
		await diagnosed(hub, [`kill -CONT ${pid}`]);
		process.kill(pid, 'SIGCONT');
		const m = await waiting;
		assert(m.result || m.error?.data?.reason === 'daemon_stopped', JSON.stringify(m));
		await works(second);
		same(owner(hub), pid, 'SIGCONT has healed it');
		same(hub.manifest().epoch, '1', 'no second daemon');
	}],

	// A file system that says that it is NFS.
	network_file_system: ['root', 'cc', async hub => {
		const source = path.join(hub.root, 'nfs.c');
		fs.writeFileSync(source, `#define _GNU_SOURCE
#include <sys/vfs.h>
int fstatfs(int fd, struct statfs *to) { (void)fd; *to = (struct statfs){.f_type = 0x6969}; return 0; }
int fstatfs64(int fd, struct statfs64 *to) { (void)fd; *to = (struct statfs64){.f_type = 0x6969}; return 0; }
`);
		const library = path.join(hub.root, 'nfs.so');
		sh(`cc -shared -fPIC -o '${library}' '${source}'`);
		rig(hub, `LD_PRELOAD='${library}' ASAN_OPTIONS=verify_asan_link_order=0 exec env '${executord}' "$@"`);
		await refused(hub, 'network_fs', [hub.dir, 'local disk']);
		await diagnosed(hub, ['local disk'], ['--start']);
		same(effects({ effects: path.join(hub.root, 'none') }).length, 0, 'nothing ran');
	}],
});
