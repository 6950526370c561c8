// The daemon under a service manager: what it is given, what it tells, and the
// units that `executor service` writes.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
	addOracle, alive, assert, bounded, call, connected, executord, fs, owner, path, rows, same, until,
} from '../support/faults.mjs';
import { serving } from '../support/health.mjs';

const script = fileURLToPath(new URL('../support/manager.py', import.meta.url));
const read = file => fs.existsSync(file) ? fs.readFileSync(file, 'latin1') : '';

// Run executord under the manager in miniature.
async function managed(hub, ...options) {
	const m = {
		listen: path.join(hub.root, 'passed.sock'),
		news: path.join(hub.root, 'news'),
	};
	fs.mkdirSync(hub.dir, { mode: 0o700, recursive: true });
	m.child = spawn('python3', [script, m.listen, m.news, '200000', executord, '--data-dir', hub.dir, ...options],
		{ env: hub.env, stdio: ['ignore', 'inherit', 'pipe'] });
	m.err = '';
	m.child.stderr.on('data', text => { m.err += text; });
	m.exited = new Promise(done => m.child.on('exit', done));
	m.said = () => read(m.news).split('\n');
	await until('it says that it is ready', () => m.said().includes('READY=1') || m.child.exitCode !== null);
	assert(m.child.exitCode === null, m.err);
	return m;
}

const environ = pid => fs.readFileSync(`/proc/${pid}/environ`, 'latin1');

await rows({
	async a_passed_socket_is_served_beside_its_own(hub) {
		const m = await managed(hub);
		const pid = owner(hub);
		same(m.said().includes(`MAINPID=${pid}`), true, 'MAINPID');
		assert(await serving(m.listen), 'the passed socket');
		assert(await serving(hub.socket()), 'and its own');
		await addOracle(hub); // through the manifest, like any client
		await call(await connected(hub), { x: 1 });
		same(owner(hub), pid, 'the daemon');
		// Nothing of it reaches what it starts.
		for (const child of fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean))
			assert(!/NOTIFY_SOCKET|LISTEN_|WATCHDOG_/.test(environ(child)), environ(child));
		await until('signs of life', () => m.said().filter(l => l === 'WATCHDOG=1').length >= 3);
		process.kill(pid, 'SIGTERM');
		same(await bounded(m.exited, 'the end'), 0, 'exit status');
		assert(m.said().includes('STOPPING=1'), 'it says that it stops');
		assert(m.said().some(l => /^EXTEND_TIMEOUT_USEC=300000000$/.test(l)), 'opening may take a while');
		assert(m.said().some(l => /^STATUS=./.test(l)), 'what it does');
	},

	async the_passed_socket_holds_an_idle_daemon(hub) {
		const m = await managed(hub, '--idle-exit', '1');
		const net = await import('node:net');
		const guest = net.connect(m.listen);
		guest.on('error', () => {}).resume();
		await new Promise(done => guest.on('close', done)); // said nothing
		same(await bounded(m.exited, 'the idle exit', 30000), 0, 'exit status');
		assert(m.said().includes('STOPPING=1'), 'it says that it stops');
	},

	async variables_meant_for_another_process_are_not_ours(hub) {
		const dir = hub.dir;
		fs.mkdirSync(dir, { mode: 0o700 });
		const r = spawn(executord, ['--data-dir', dir, '--foreground'], {
			env: { ...hub.env, LISTEN_PID: '1', LISTEN_FDS: '2', NOTIFY_SOCKET: '/nowhere/at/all', WATCHDOG_USEC: 'x' },
			stdio: 'ignore',
		});
		await until('it serves', async () => fs.existsSync(hub.socket()) && await serving(hub.socket()));
		const end = new Promise(done => r.on('exit', done));
		r.kill('SIGTERM');
		same(await bounded(end, 'the end'), 0, 'exit status');
	},

	systemd_itself_passes_a_socket: ['systemd-socket-activate', async hub => {
		fs.mkdirSync(path.join(hub.dir, 'run'), { mode: 0o700, recursive: true });
		const socket = path.join(hub.dir, 'run', 'activation.sock');
		const child = spawn('systemd-socket-activate', ['-l', socket, executord, '--data-dir', hub.dir],
			{ env: hub.env, stdio: 'ignore' });
		await until('it listens', () => fs.existsSync(socket));
		same(owner(hub), 0, 'nothing runs yet');
		assert(await serving(socket), 'who connects is served');
		same(owner(hub), child.pid, 'by the daemon that was started for it');
		await addOracle(hub);
		const end = new Promise(done => child.on('exit', done));
		await hub.ok('daemon', 'stop');
		await bounded(end, 'the end');
		fs.rmSync(socket);
	}],

	units_are_what_systemd_takes: ['systemd-analyze', async hub => {
		hub.dir = path.join(hub.home, 'a "strange" $dir 100%');
		fs.mkdirSync(hub.dir, { mode: 0o700 });
		const runtime = path.join(hub.root, 'runtime');
		fs.mkdirSync(runtime, { mode: 0o700 });
		await hub.ok('service', 'install', '--user', '--data-dir', hub.dir);
		const units = path.join(hub.home, '.config', 'systemd', 'user');
		const env = { ...hub.env, XDG_RUNTIME_DIR: runtime };
		for (const unit of ['executor.service', 'executor.socket']) {
			const r = await hub.run('systemd-analyze', ['verify', '--user', '--man=no', path.join(units, unit)], { env });
			assert(r.code === 0 && !/executor\.(service|socket)/.test(r.err), `${unit}: ${r.err}`);
		}
	}],

	async install_status_and_uninstall(hub) {
		// A user manager that answers, and one that does not.
		const tools = path.join(hub.root, 'tools');
		const calls = path.join(hub.root, 'calls');
		fs.mkdirSync(tools);
		fs.writeFileSync(path.join(tools, 'systemctl'), `#!/bin/sh\necho "$@" >> ${calls}\n`, { mode: 0o755 });
		const units = path.join(hub.home, '.config', 'systemd', 'user');
		const exec = (env, ...args) => hub.run(path.join(hub.bin, 'executor'), args, { env });
		const none = { ...hub.env, PATH: '/nonexistent' };
		const some = { ...hub.env, PATH: tools };

		let r = await exec(none, 'service', 'status');
		same([r.code, /not installed/.test(r.out)], [6, true], r.out);
		r = await exec(none, 'service', 'install');
		same(r.code, 0, r.err);
		assert(/no user manager answers/.test(r.out) && /systemctl --user enable --now executor\.socket executor\.service/.test(r.out), r.out);
		const service = fs.readFileSync(path.join(units, 'executor.service'), 'utf8');
		const dry = await exec(none, 'service', 'install', '--dry-run');
		assert(dry.out.includes(service), 'the dry run prints what is written');
		assert(service.includes(`ExecStart="${fs.realpathSync(executord)}" --data-dir "${hub.dir}"`), service);
		r = await exec(some, 'service', 'install');
		same(r.code, 0, r.err);
		assert(/--user --quiet daemon-reload\n.*enable --now executor\.socket\n.*enable --now executor\.service\n/.test(read(calls)), read(calls));
		r = await exec(some, 'service', 'status', '-o', 'json');
		same(JSON.parse(r.out).units.map(u => [u.installed, u.current, u.active]), [[true, true, true], [true, true, true]], r.out);
		fs.appendFileSync(path.join(units, 'executor.service'), '# mine\n');
		assert(/renews it/.test((await exec(some, 'service', 'status')).out), 'a unit that was changed');
		r = await exec(some, 'service', 'uninstall', '--dry-run');
		assert(/would remove/.test(r.out) && fs.existsSync(path.join(units, 'executor.service')), r.out);
		r = await exec(some, 'service', 'uninstall');
		same(r.code, 0, r.err);
		same(fs.readdirSync(units), [], 'units');
		assert(/disable --now executor\.service\n.*disable --now executor\.socket/.test(read(calls)), read(calls));
		same((await exec(some, 'service', 'uninstall')).code, 0, 'again');
		assert(!alive(owner(hub)), 'none of it started a daemon');
	},
});
