// Many adapters at once on a cold directory elect one daemon, and no other
// ever was: each owner counts the epoch up by one.
import fs from 'node:fs';
import path from 'node:path';
import { assert, same, scenarios, until } from '../support/harness.mjs';

async function one(hub, options) {
	const adapter = hub.adapter(options);
	await adapter.initialize();
	const tools = await adapter.tools();
	assert(tools.includes('executor__status'), `tools: ${tools}`);
	const m = await adapter.call('executor__status');
	assert(m.result && !m.result.isError, JSON.stringify(m));
	return m.result.structuredContent;
}

async function race(hub, n) {
	const answers = await Promise.all(Array.from({ length: n }, () => one(hub)));
	same(new Set(answers.map(a => a.pid)).size, 1, 'pids that answered');
	same(hub.manifest().epoch, '1', 'the epoch');
	same(hub.daemons().length, 1, 'living daemons');
	same(hub.daemons()[0], answers[0].pid, 'the living daemon is the one that answers');
}

// Is pid's session, group and parent its own affair, and none of its
// descriptors a client's?
function assertDetached(pid, adapter) {
	const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
	const [, , pgrp, session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
	assert(session !== fs.readFileSync(`/proc/${adapter}/stat`, 'latin1').split(') ')[1].split(' ')[3],
		'the daemon has a session of its own');
	assert(pgrp === session || Number(pgrp) > 0, 'and a group');
	for (const fd of ['0', '1', '2']) {
		const target = fs.readlinkSync(`/proc/${pid}/fd/${fd}`);
		assert(target === '/dev/null' || target.endsWith('executord.log'), `descriptor ${fd} is ${target}`);
	}
	same(fs.readlinkSync(`/proc/${pid}/cwd`), '/', 'working directory');
}

await scenarios({
	async six_adapters_elect_one_daemon(hub) {
		await race(hub, 6);
	},

	async sixty_four_adapters_elect_one_daemon(hub) {
		await race(hub, 64);
	},

	async every_way_to_name_a_directory_is_one_daemon(hub) {
		fs.mkdirSync(path.join(hub.root, 'cwd'));
		fs.symlinkSync(hub.home, path.join(hub.root, 'link'));
		const tmp = path.join(hub.root, 'tmp');
		fs.mkdirSync(tmp);
		const { HOME, ...rest } = hub.env;
		const ways = [
			{ cwd: '/' },
			{ cwd: path.join(hub.root, 'cwd') },
			{ env: { ...rest, HOME: `${HOME}/` } },
			{ env: { ...rest, HOME: `${HOME}/../home/.` } },
			{ env: { ...rest, HOME: path.join(hub.root, 'link') } },
			{ env: { ...hub.env, TMPDIR: tmp } },
			{ env: { ...hub.env, XDG_RUNTIME_DIR: tmp, XDG_CONFIG_HOME: tmp, XDG_STATE_HOME: tmp } },
			{ env: { HOME } },
			{ env: { ...rest, EXECUTOR_DATA_DIR: path.join(HOME, '.executor') } },
			{ env: { ...rest, HOME: '/nonexistent' }, args: ['--data-dir', path.join(hub.root, 'link', '.executor')] },
			{ env: { EXECUTOR_DATA_DIR: `${hub.dir}/./` } },
			{ env: {}, args: ['--data-dir', '../home/.executor'], cwd: path.join(hub.root, 'cwd') },
		];
		const asan = process.env.ASAN_OPTIONS;
		const answers = await Promise.all(ways.map(way =>
			one(hub, asan && way.env ? { ...way, env: { ...way.env, ASAN_OPTIONS: asan } } : way)));
		same(new Set(answers.map(a => a.pid)).size, 1, 'daemons');
		same(hub.manifest().epoch, '1', 'the epoch');
	},

	async a_symlinked_data_directory_is_the_same_directory(hub) {
		fs.mkdirSync(path.join(hub.root, 'real'), { mode: 0o700 });
		fs.symlinkSync(path.join(hub.root, 'real'), hub.dir);
		hub.dir = path.join(hub.root, 'real');
		const a = await one(hub);
		const b = await one(hub, { args: ['--data-dir', hub.dir] });
		same(a.pid, b.pid, 'the daemon');
	},

	async the_daemon_is_detached_from_its_starter(hub) {
		const adapter = hub.adapter();
		await adapter.initialize();
		await adapter.tools();
		const [pid] = hub.daemons();
		assertDetached(pid, adapter.pid);
		await adapter.close();
		const second = hub.adapter();
		await second.initialize();
		await second.tools();
		same(hub.daemons(), [pid], 'the daemon outlives its starter');
	},

	// A client that probes kills its first adapter in the middle of things.
	async a_starter_killed_while_starting_harms_nobody(hub) {
		for (let ms = 0; ms < 12; ms++) {
			const starter = hub.adapter();
			starter.write('{"jsonrpc":"2.0","id":"p","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"p","version":"1"}}}');
			starter.write('{"jsonrpc":"2.0","id":"l","method":"tools/list"}');
			await new Promise(done => setTimeout(done, ms * 2));
			await starter.kill(ms % 2 ? 'SIGTERM' : 'SIGKILL');
			await one(hub);
			// Candidates that lost may still be about to exit.
			await until('one living daemon', () => hub.daemons().length === 1);
			if (ms % 3 === 2)
				await hub.ok('daemon', 'stop');
		}
	},

	async the_directory_and_its_files_are_private(hub) {
		await one(hub);
		const mode = name => (fs.statSync(path.join(hub.dir, name)).mode & 0o777).toString(8);
		for (const dir of ['.', 'run', 'run/s', 'logs'])
			same(mode(dir), '700', dir);
		for (const file of ['executor.db', 'owner.lock', 'run/manifest', 'run/executor.sock', 'logs/executord.log'])
			same(mode(file), '600', file);
	},

	async garbage_in_every_hint_is_survived(hub) {
		await one(hub);
		await hub.ok('daemon', 'stop');
		const junk = Buffer.from('\xff\x00garbage\n'.repeat(4000), 'latin1');
		for (const name of ['run/manifest', 'run/boot', 'owner.lock', 'spawn.lock', 'run/executor.sock'])
			fs.writeFileSync(path.join(hub.dir, name), junk, { mode: 0o600 });
		await one(hub);
		same(hub.daemons().length, 1, 'living daemons');
		await until('the manifest is true again', () => hub.manifest()?.pid === String(hub.daemons()[0]));
	},
});
