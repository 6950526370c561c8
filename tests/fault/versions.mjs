// Programs of different versions at one directory: `next` is one minor version
// on and speaks our protocol, too; `later` has no protocol number in common
// with ours.
import {
	addOracle, alive, assert, assertNoDuplicates, bin, call, connected, effects, fs, log, owner, path, rows, same, until,
} from '../support/faults.mjs';

const dirs = { bin, next: path.join(bin, '..', 'next'), later: path.join(bin, '..', 'later') };

const adapterOf = (hub, version) => hub.adapter({ command: path.join(dirs[version], 'executor-mcp-adapter') });
const executor = (hub, version, ...args) => hub.run(path.join(dirs[version], 'executor'), args);

async function connectedAs(hub, version) {
	const a = adapterOf(hub, version);
	await a.initialize();
	await a.tools();
	return a;
}

const exe = pid => fs.readlinkSync(`/proc/${pid}/exe`);
const program = version => fs.realpathSync(path.join(dirs[version], 'executord'));

// What a client of an adapter that is too old is told.
function assertTooOld(m) {
	same(m.error?.data?.reason, 'version', JSON.stringify(m));
	assert(/9\.0\.0/.test(m.error.message) && /0\.1\.0/.test(m.error.message) && /upgrade/.test(m.error.message), m.error.message);
}

await rows({
	async row_37_an_older_adapter_and_a_newer_daemon(hub) {
		hub.bin = dirs.next;
		await addOracle(hub);
		const pid = owner(hub);
		same(exe(pid), program('next'), 'the daemon');
		await call(await connectedAs(hub, 'bin'), { old: 1 });
		await call(await connectedAs(hub, 'next'), { next: 1 });
		same(owner(hub), pid, 'the daemon');
		const r = await executor(hub, 'bin', 'doctor');
		assert(/daemon is version 0\.2\.0, newer than/.test(r.out), r.out);
	},

	async a_newer_adapter_and_an_older_daemon(hub) {
		await addOracle(hub);
		const pid = owner(hub);
		const old = await connectedAs(hub, 'bin');
		await call(await connectedAs(hub, 'next'), { next: 1 });
		await call(old, { old: 1 });
		same(owner(hub), pid, 'nobody was replaced');
		assert(/0\.2\.0 is installed/.test((await executor(hub, 'next', 'status')).out), 'status');
		assert(/older than the installed 0\.2\.0/.test((await executor(hub, 'next', 'doctor')).out), 'doctor');
		// That is how a person moves to it; the sessions follow.
		const r = await executor(hub, 'next', 'daemon', 'restart');
		same(r.code, 0, r.err);
		same(exe(owner(hub)), program('next'), 'the daemon now');
		await call(old, { old: 2 });
		assertNoDuplicates(hub);
	},

	async row_40_an_upgrade_while_twenty_calls_run(hub) {
		await addOracle(hub);
		const olds = await Promise.all(Array.from({ length: 20 }, () => connectedAs(hub, 'bin')));
		const first = owner(hub);
		const running = olds.map((a, i) => a.call('oracle__slow', { ms: 1500, i }));
		await until('all run', () => effects(hub).length === 20);
		const later = adapterOf(hub, 'later');
		await later.initialize();
		await call(later, { later: 1 });
		for (const m of await Promise.all(running))
			assert(m.result && !m.result.isError, `a running call's answer: ${JSON.stringify(m)}`);
		assert(!alive(first), 'the older daemon has made way');
		const second = owner(hub);
		same(exe(second), program('later'), 'the newer one');
		for (const a of olds) {
			same([...a.answers.values()].filter(n => n !== 1), [], 'answers');
			assert(!a.exit, 'no adapter has exited');
		}
		// They cannot speak to it, say so, and leave it alone.
		assertTooOld(await olds[0].call('oracle__echo', { never: 1 }));
		assertTooOld(await olds[1].call('oracle__echo', { never: 2 }));
		same(owner(hub), second, 'the daemon');
		same(assertNoDuplicates(hub).length, 21, 'executions');
		assert(log(hub).includes('version 0.1.0 makes way for 9.0.0'), 'the log says so');
		hub.bin = dirs.later;
	},

	// Whoever is asked for a daemon now starts an older one: that one lets the
	// newer run in its place.  So there was one hand-over, and no other.
	async row_39_an_older_daemon_never_comes_back(hub) {
		await addOracle(hub);
		let later = await connectedAs(hub, 'later');
		await call(later, { later: 1 });
		const epoch = Number(hub.manifest().epoch);
		for (let i = 0; i < 3; i++) {
			await later.close();
			process.kill(owner(hub), 'SIGKILL');
			assertTooOld(await adapterOf(hub, 'bin').ask('tools/list', {}));
			const pid = await until('there is an owner', () => owner(hub));
			same(exe(pid), program('later'), 'the owner');
			later = await connectedAs(hub, 'later');
			await call(later, { again: i });
		}
		same(Number(hub.manifest().epoch), epoch + 3, 'one owner for each that was killed');
		same(log(hub).split('daemon   version 0.1.0 makes way').length - 1, 1, 'hand-overs');
		same(log(hub).split(`newer version has been here: running ${program('later')}`).length - 1, 3, 'it was run instead');
		assert(!/crash_loop/.test(log(hub)), 'and no failed start');
		assertNoDuplicates(hub);
		hub.bin = dirs.later;
	},

	async row_39_what_cannot_be_run_is_named(hub) {
		// An installation that goes away again.
		const gone = path.join(hub.root, 'gone');
		fs.mkdirSync(gone, { mode: 0o755 });
		fs.symlinkSync(path.join(bin, '..', 'lib'), path.join(hub.root, 'lib'));
		for (const p of ['executord', 'executor', 'executor-mcp-adapter'])
			fs.copyFileSync(path.join(dirs.later, p), path.join(gone, p));
		await addOracle(hub);
		const later = hub.adapter({ command: path.join(gone, 'executor-mcp-adapter') });
		await later.initialize();
		await call(later, { later: 1 });
		await later.close();
		const pid = owner(hub);
		same(exe(pid), path.join(gone, 'executord'), 'the owner');

		// Somebody else may write it: it is not run.
		fs.chmodSync(path.join(gone, 'executord'), 0o777);
		process.kill(pid, 'SIGKILL');
		const old = adapterOf(hub, 'bin');
		const m = await old.ask('tools/list', {});
		same(m.error?.data?.reason, 'version', JSON.stringify(m));
		for (const word of [/wants executord 9\.0\.0 or later, and this is 0\.1\.0/, /gone\/executord/, /executor\.db/])
			assert(word.test(m.error.message), m.error.message);
		assert(/can be changed by others/.test(log(hub)), 'the log says why it was not run');

		fs.rmSync(gone, { recursive: true });
		for (let i = 0; i < 4; i++)
			same((await old.ask('tools/list', {})).error?.data?.reason, 'version', 'again and again');
		same(owner(hub), 0, 'nobody owns it');
		const r = await executor(hub, 'bin', 'doctor', '--start');
		same(r.code, 1, 'doctor');
		assert(/wants executord 9\.0\.0 or later/.test(r.out), r.out);
		// The newer one is not kept out by what the others could not do.
		hub.bin = dirs.later;
		await call(await connected(hub), { healed: 1 });
		assert(!/crash_loop/.test(log(hub)), 'no failed start was counted');
		assertNoDuplicates(hub);
	},

	async nobody_locks_out_a_version_that_is_not_older(hub) {
		await addOracle(hub);
		hub.bin = dirs.later;
		const pid = owner(hub);
		// Without leave to start one itself it does not ask either.
		const guest = hub.adapter({ args: ['--no-start'] });
		const m = await guest.ask('tools/list', {});
		same(m.error?.data?.reason, 'version', JSON.stringify(m));
		assert(/daemon stop/.test(m.error.message), m.error.message);
		same(owner(hub), pid, 'the daemon');
	},
});
