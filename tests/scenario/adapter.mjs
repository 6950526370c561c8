// Any client may run the adapter, and treat it as clients do.
// Numbers are those of the cases in the list of black-box tests.
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { spawn, spawnSync } from 'node:child_process';
import { assert, bin, bounded, pause, same, scenarios, until } from '../support/harness.mjs';

const program = path.join(bin, 'executor-mcp-adapter');
const hello = id => JSON.stringify({
	jsonrpc: '2.0', id, method: 'initialize',
	params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
});

// The next whole line, as it was sent.
function nextLine(adapter) {
	return bounded(new Promise(done => {
		adapter.onLine = line => {
			adapter.onLine = null;
			done(line);
		};
	}), 'a line');
}

async function exchange(adapter, line) {
	const answer = nextLine(adapter);
	adapter.write(line);
	return answer;
}

await scenarios({
	async ids_come_back_byte_for_byte(hub) {
		const a = hub.adapter();
		await a.initialize();
		await a.tools();
		for (const id of ['7', '"7"', '9007199254740993', '-3', '"\\u00e9\\u0000"', '"a\\/b"', '""']) {
			const line = await exchange(a, `{"jsonrpc":"2.0","id":${id},"method":"ping"}`);
			assert(line.includes(`"id":${id}`), `id ${id}: ${line}`);
			const call = await exchange(a, `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"executor__status","arguments":{}}}`);
			assert(call.includes(`"id":${id}`), `id ${id}: ${call.slice(0, 200)}`);
		}
	},

	async wrong_input_gets_an_error_and_loses_nothing(hub) {
		const a = hub.adapter();
		await a.initialize();
		const code = async line => JSON.parse(await exchange(a, line)).error?.code;
		same(await code('{"jsonrpc":"2.0","id":1,'), -32700, 'torn JSON');
		same(await code('nonsense'), -32700, 'no JSON');
		same(await code('"\\ud800"'), -32600, 'a string');
		same(await code('{"jsonrpc":"2.0","id":null,"method":"ping"}'), -32600, 'id null');
		same(await code('{"jsonrpc":"2.0","id":1.5,"method":"ping"}'), -32600, 'id with a fraction');
		same(await code('{"jsonrpc":"1.0","id":1,"method":"ping"}'), -32600, 'another version');
		same(await code('{"jsonrpc":"2.0","id":1,"method":"ping","i\\u0064":2}'), -32600, 'an id twice');
		same(await code('{"jsonrpc":"2.0","id":"p","method":"server/discover","params":{}}'), -32601, 'server/discover');
		same(await code('{"jsonrpc":"2.0","id":2,"method":"no/such"}'), -32601, 'an unknown method');
		same(await code('{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"nothing__here","arguments":{}}}'), -32602, 'an unknown tool');
		const torn = Buffer.concat([Buffer.from('{"jsonrpc":"2.0","id":4,"method":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}\n')]);
		const answer = nextLine(a);
		a.child.stdin.write(torn);
		same(JSON.parse(await answer).error.code, -32700, 'broken UTF-8');
		same((await a.ask('ping')).result, {}, 'ping after all that');
	},

	// 1, 2
	async known_revisions_are_echoed_and_others_get_the_newest(hub) {
		for (const [asked, got] of [
			['2024-11-05', '2024-11-05'], ['2025-03-26', '2025-03-26'], ['2025-06-18', '2025-06-18'],
			['2025-11-25', '2025-11-25'], ['2099-01-01', '2025-11-25'], ['2026-07-28', '2025-11-25'],
		]) {
			const a = hub.adapter();
			same((await a.initialize(asked)).protocolVersion, got, asked);
			assert((await a.tools()).length > 0, 'tools');
			await a.close();
		}
	},

	// 3
	async a_probe_before_initialize_does_not_pin(hub) {
		const a = hub.adapter();
		const probe = await a.ask('server/discover', { _meta: {} }, 'server-discover-probe-1');
		same(probe.error.code, -32601, 'the probe');
		await a.initialize();
		assert((await a.tools()).length > 0, 'tools');
	},

	async lines_may_come_in_any_split(hub) {
		const a = hub.adapter();
		const text = `${hello(1)}\r\n\n{"jsonrpc":"2.0","method":"notifications/initialized"}\n` +
			'{"jsonrpc":"2.0","id":2,"method":"tools/list"}\n{"jsonrpc":"2.0","id":3,"method":"ping"}\n';
		const answers = [1, 2, 3].map(id => bounded(new Promise(done => {
			a.waiting.set(id, { done, fail: () => {} });
		}), `id ${id}`));
		a.child.stdin.setDefaultEncoding('utf8');
		for (const byte of Buffer.from(text)) {
			a.child.stdin.write(Buffer.from([byte]));
			if (Math.random() < 0.05)
				await pause(0);
		}
		for (const m of await Promise.all(answers))
			assert(m.result, JSON.stringify(m));
	},

	async pipes_files_and_a_cleared_environment(hub) {
		const first = hub.adapter();
		await first.initialize();
		await first.tools(); // a daemon is there, so that end of input cannot come first
		const file = path.join(hub.root, 'input');
		fs.writeFileSync(file, `${hello(1)}\n{"jsonrpc":"2.0","id":2,"method":"ping"}\n`);
		const env = process.env.ASAN_OPTIONS ? `ASAN_OPTIONS=${process.env.ASAN_OPTIONS}` : '';
		for (const command of [
			`cat ${file} - | env -i HOME=${hub.home} ${env} ${program} | head -n 2`,
			`env -i HOME=${hub.home} ${env} ${program} < ${file}`,
			`env -i HOME=${hub.home} ${env} ${program} < ${file} 2>&-`,
		]) {
			const r = spawnSync('sh', ['-c', command], { input: '', timeout: 60000 });
			const lines = r.stdout.toString().trim().split('\n').map(l => JSON.parse(l));
			same(lines.map(l => l.id), [1, 2], command);
		}
	},

	async every_way_to_end_it_ends_it(hub) {
		const daemon = async () => (await until('a daemon', () => hub.daemons()[0]));
		const first = hub.adapter();
		await first.initialize();
		await first.tools();
		const pid = await daemon();
		for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
			const a = hub.adapter();
			await a.initialize();
			await a.tools();
			same(await a.kill(signal), { code: 0, signal: null }, signal);
		}
		for (const prepare of [
			async a => { await a.initialize(); },
			async a => { await a.initialize(); await a.tools(); },
			async () => {},
		]) {
			const a = hub.adapter();
			await prepare(a);
			same(await a.close(), { code: 0, signal: null }, 'end of input');
		}
		// Nobody reads any more.
		const deaf = hub.adapter();
		await deaf.initialize();
		deaf.child.stdout.destroy();
		deaf.write('{"jsonrpc":"2.0","id":9,"method":"ping"}');
		await bounded(deaf.exited, 'exit when nobody reads');
		same(hub.daemons(), [pid], 'the daemon');
	},

	async the_daemon_gets_none_of_the_clients_descriptors(hub) {
		const server = net.createServer().listen(0, '127.0.0.1');
		const leaks = [];
		for (let i = 0; i < 20; i++)
			leaks.push(fs.openSync(path.join(hub.root, `leak${i}`), 'w'));
		const child = spawn(program, [], {
			env: hub.env, stdio: ['pipe', 'pipe', 'inherit', ...leaks],
		});
		child.stdin.write(`${hello(1)}\n{"jsonrpc":"2.0","id":2,"method":"tools/list"}\n`);
		let out = '';
		child.stdout.on('data', t => { out += t; });
		await until('an answer', () => out.includes('"id":2'));
		const [pid] = hub.daemons();
		const open = fs.readdirSync(`/proc/${pid}/fd`).map(fd => {
			try {
				return fs.readlinkSync(`/proc/${pid}/fd/${fd}`);
			} catch {
				return '';
			}
		});
		same(open.filter(t => t.includes('leak')), [], 'leaked descriptors in the daemon');
		const environ = fs.readFileSync(`/proc/${pid}/environ`, 'latin1');
		assert(!environ.includes('npm_'), 'environment of the client in the daemon');
		leaks.forEach(fd => fs.closeSync(fd));
		server.close();
		const gone = new Promise(done => child.on('exit', done));
		child.stdin.end();
		await bounded(gone, 'exit');
	},

	async a_directory_that_cannot_be_used_is_told_not_fatal(hub) {
		fs.writeFileSync(hub.dir, 'a file');
		const a = hub.adapter();
		await a.initialize();
		const m = await a.ask('tools/list', {});
		assert(m.error?.message.includes(hub.dir), `the error names the path: ${JSON.stringify(m)}`);
		assert(m.error.data?.reason, `and has a reason: ${JSON.stringify(m)}`);
		same((await a.ask('ping')).result, {}, 'ping');
		fs.unlinkSync(hub.dir);
		await until('the lists come once it is mended', async () => (await a.ask('tools/list', {})).result);
	},

	async messages_of_many_megabytes_pass_and_larger_ones_are_refused(hub) {
		const a = hub.adapter();
		await a.initialize();
		await a.tools();
		const query = 'x'.repeat(20 << 20);
		const m = await a.call('executor__search_tools', { query });
		assert(m.result, JSON.stringify(m).slice(0, 300));
		const huge = await a.call('executor__search_tools', { query: 'y'.repeat(64 << 20) });
		same(huge.error?.data?.reason, 'too_large', 'a line over 64 MiB');
		same((await a.ask('ping')).result, {}, 'ping after it');
	},
});
