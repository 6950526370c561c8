// A thousand sessions from one program, straight on the socket: all are
// served, and what they took is given back when they have left.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import fs from 'node:fs';
import path from 'node:path';
import { assert, bin, bounded, same, scenarios, until } from '../support/harness.mjs';

const count = 1000; // 200 on a connection
const program = path.join(bin, '..', 'bench', 'crowd');

// Open the sessions; each has been answered twice when this returns.
async function enter(hub) {
	const child = spawn(program, [hub.socket(), String(count), '200'],
		{ env: hub.env, stdio: ['pipe', 'pipe', 'inherit'] });
	const exited = new Promise(done => child.on('exit', code => done(code)));
	const said = new Promise(done => createInterface({ input: child.stdout }).on('line', done));
	same(await bounded(Promise.race([said, exited]), 'the crowd'), `attached ${count}`, 'the crowd');
	return {
		async leave() {
			child.stdin.end();
			same(await bounded(exited, 'the crowd leaves'), 0, 'its exit status');
		},
		async die() {
			child.kill('SIGKILL');
			await bounded(exited, 'the crowd dies');
		},
	};
}

const status = async hub => JSON.parse(await hub.ok('status', '-o', 'json'));
const descriptors = pid => fs.readdirSync(`/proc/${pid}/fd`).length;

function dirtyKib(pid) {
	const text = fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
	return Number(/^Private_Dirty: *(\d+)/m.exec(text)[1]);
}

// A sanitizer keeps what was freed, to see who still uses it; its shadow of
// the address space, terabytes of it, gives it away.
function isPlain(pid) {
	const text = fs.readFileSync(`/proc/${pid}/status`, 'latin1');
	return Number(/^VmSize:\s*(\d+)/m.exec(text)[1]) < 2 ** 30;
}

await scenarios({
	async a_thousand_sessions_come_and_go(hub) {
		await hub.ok('tools', 'list');
		const [pid] = hub.daemons();
		const fds = descriptors(pid);
		const before = dirtyKib(pid);
		for (let round = 0; round < 3; round++) {
			const crowd = await enter(hub);
			same((await status(hub)).sessions.length, count, 'sessions');
			const held = dirtyKib(pid);
			await crowd.leave();
			await until('all have left', async () => (await status(hub)).sessions.length === 0);
			await until('their descriptors are closed', () => descriptors(pid) <= fds);
			if (!isPlain(pid))
				continue;
			const after = dirtyKib(pid);
			console.log(`     private dirty KiB: ${before} before, ${held} with ${count}, ${after} after`);
			assert(after - before < (held - before) / 4, 'memory is back near its baseline');
		}
	},

	async a_crowd_that_is_killed_is_kept_for_a_while(hub) {
		await hub.ok('tools', 'list');
		const [pid] = hub.daemons();
		const fds = descriptors(pid);
		const crowd = await enter(hub);
		await crowd.die();
		await until('their descriptors are closed', () => descriptors(pid) <= fds);
		const { sessions } = await status(hub);
		same(sessions.filter(s => s.attached).length, 0, 'attached sessions');
		same(sessions.length, count, 'sessions that can be resumed');
	},
});
