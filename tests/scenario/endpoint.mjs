// The endpoints of a daemon, as stock clients in other languages use them.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import grpc from '@grpc/grpc-js';
import { assert, bin, bounded, same, scenarios, until } from '../support/harness.mjs';
import { load } from '../support/health.mjs';

const mcp = load('executor/mcp/v1/mcp.proto').executor.mcp.v1;
const admin = load('executor/admin/v1/admin.proto').executor.admin.v1;

// A daemon in the foreground, as a person or a service manager runs it.
async function run(hub, ...options) {
	const child = spawn(path.join(bin, 'executor'), ['daemon', 'run', ...options],
		{ env: hub.env, cwd: hub.root, stdio: ['ignore', 'ignore', 'pipe'] });
	const daemon = { pid: child.pid, said: '' };
	child.stderr.on('data', text => { daemon.said += text; });
	daemon.gone = new Promise(done => child.on('close', code => done(code)));
	await until('the daemon serves', () => /starting -> serving/.test(daemon.said));
	daemon.end = async () => {
		child.kill('SIGTERM');
		same(await bounded(daemon.gone, 'the end of the daemon'), 0, `its status\n${daemon.said}`);
	};
	return daemon;
}

const listening = (hub, ...options) => run(hub, '--listen', '127.0.0.1:0', ...options);

const endpoint = async (hub, ...options) => JSON.parse(await hub.ok('endpoint', '--format', 'json', ...options));

const tokenOf = hub => fs.readFileSync(path.join(hub.dir, 'token'), 'utf8');

function metadata(headers) {
	const m = new grpc.Metadata();
	for (const [name, value] of Object.entries(headers))
		m.set(name, value);
	return m;
}

const bearer = token => ({ authorization: `Bearer ${token}` });

// The answer, or the error with its code.
const unary = (client, method, request, headers) => bounded(new Promise(done => {
	client[method](request, metadata(headers), { deadline: Date.now() + 30000 },
		(error, answer) => done(error ?? answer));
}), method);

const echo = text => ({
	json: Buffer.from(JSON.stringify({
		jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'ev__echo', arguments: { message: text } },
	})),
});

const insecure = grpc.credentials.createInsecure();

const python = `
import json, os, pathlib, subprocess, sys, tempfile
import grpc
generated = tempfile.TemporaryDirectory()
subprocess.run(["protoc", "-I", os.environ["PROTO"], "--python_out", generated.name, "executor/mcp/v1/mcp.proto"], check=True)
sys.path.insert(0, generated.name)
from executor.mcp.v1 import mcp_pb2

def call(target, metadata):
    with grpc.insecure_channel(target) as channel:
        method = channel.unary_unary("/executor.mcp.v1.McpService/Call",
            request_serializer=mcp_pb2.CallRequest.SerializeToString,
            response_deserializer=mcp_pb2.CallResponse.FromString)
        request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                   "params": {"name": "ev__echo", "arguments": {"message": "from Python"}}}
        try:
            answer = method(mcp_pb2.CallRequest(json=json.dumps(request).encode()), metadata=metadata, timeout=60)
            return json.loads(answer.json)["result"]["content"][0]["text"]
        except grpc.RpcError as error:
            return error.code().name

token = pathlib.Path(os.environ["EXECUTOR_TOKEN_FILE"]).read_text()
print(json.dumps([
    call(os.environ["EXECUTOR_TARGET"], []),
    call(os.environ["EXECUTOR_TCP_TARGET"], []),
    call(os.environ["EXECUTOR_TCP_TARGET"], [("authorization", "Bearer " + token[::-1])]),
    call(os.environ["EXECUTOR_TCP_TARGET"], [("authorization", "Bearer " + token)]),
]))
`;

await scenarios({
	async a_node_client_takes_json(hub) {
		const daemon = await listening(hub);
		await hub.addEverything('ev');
		const e = await endpoint(hub);
		same([e.unix, e.target, e.tcp, e.token_file, e.token],
			[hub.socket(), `unix:${hub.socket()}`, `http://${e.tcp_target}`, path.join(hub.dir, 'token'), undefined], 'endpoint');
		same(hub.manifest().tcp_url, e.tcp, 'the manifest');
		same(JSON.parse(await hub.ok('status', '-o', 'json')).endpoints.tcp, e.tcp, 'status');
		assert((await hub.ok('status')).includes(e.tcp), 'status for people');
		const client = new mcp.McpService(e.tcp_target, insecure);
		same((await unary(client, 'Call', echo('no'), {})).code, grpc.status.UNAUTHENTICATED, 'without a token');
		same((await unary(client, 'Call', echo('no'), bearer('A'.repeat(43)))).code, grpc.status.UNAUTHENTICATED, 'with another');
		const answer = await unary(client, 'Call', echo('tcp'), bearer(fs.readFileSync(e.token_file, 'utf8')));
		same(JSON.parse(answer.json).result.content[0].text, 'Echo: tcp', 'with the token');
		same((await endpoint(hub, '--show-token')).token, tokenOf(hub), 'shown when asked for');
		client.close();
		await daemon.end();
	},

	async a_python_client_takes_the_shell(hub) {
		const daemon = await listening(hub);
		await hub.addEverything('ev');
		const script = path.join(hub.root, 'client.py');
		fs.writeFileSync(script, python);
		const repository = path.resolve(path.dirname(new URL(import.meta.url).pathname), '../..');
		const r = await hub.run('sh', ['-euc', `
			eval "$("$1" endpoint --format shell)"
			test -S "$EXECUTOR_SOCKET"
			test -z "\${EXECUTOR_TOKEN-}"
			test "http://$EXECUTOR_TCP_TARGET" = "$EXECUTOR_TCP_URL"
			test "$EXECUTOR_TARGET" = "$("$1" endpoint --format grpc)"
			test "$EXECUTOR_TCP_TARGET" = "$("$1" endpoint --format grpc --tcp)"
			/usr/bin/python3 "$2"
			eval "$("$1" endpoint --format shell --show-token)"
			test "$EXECUTOR_TOKEN" = "$(cat "$EXECUTOR_TOKEN_FILE")"`,
		'sh', path.join(bin, 'executor'), script], { env: { ...hub.env, PROTO: path.join(repository, 'proto'), EXECUTOR_TOKEN: 'stale' } });
		assert(r.code === 0, `${r.code}\n${r.out}${r.err}`);
		same(JSON.parse(r.out), ['Echo: from Python', 'UNAUTHENTICATED', 'UNAUTHENTICATED', 'Echo: from Python'], 'four calls');
		await daemon.end();
	},

	async a_name_with_every_character_survives_the_shell(hub) {
		const dir = path.join(hub.home, `it's "$HOME" \`x\` \\`);
		const ask = (...args) => hub.executor('--data-dir', dir, ...args);
		const r = await ask('endpoint', '--format', 'shell');
		same(r.code, 0, r.err);
		const back = await hub.run('sh', ['-euc', `${r.out}printf %s "$EXECUTOR_SOCKET"`]);
		same(back.out, path.join(dir, 'run/executor.sock'), 'the path');
		same((await ask('daemon', 'stop')).code, 0, 'stop');
	},

	async without_a_port_there_is_none(hub) {
		const e = await endpoint(hub);
		same([e.tcp, e.tcp_target, e.token_file], [null, null, null], 'endpoint');
		const shell = await hub.ok('endpoint', '--format', 'shell');
		assert(shell.includes('unset EXECUTOR_TCP_TARGET'), shell);
		for (const option of ['--tcp', '--show-token']) {
			const r = await hub.executor('endpoint', '--format', 'grpc', option);
			same([r.code, r.out], [6, ''], option);
			assert(r.err.includes('executor daemon run --tcp'), r.err);
		}
		assert(!fs.existsSync(path.join(hub.dir, 'token')), 'no token that nobody needs');
		const bad = await hub.executor('endpoint', '--format', 'xml');
		same(bad.code, 2, 'an unknown form');
	},

	async a_rotated_token_counts_at_once(hub) {
		const daemon = await listening(hub);
		await hub.addEverything('ev');
		const { tcp_target } = await endpoint(hub);
		const old = tokenOf(hub);
		const client = new mcp.McpService(tcp_target, insecure);
		const stream = client.Session(metadata(bearer(old)));
		const ended = new Promise(done => stream.on('error', done));
		await bounded(new Promise(done => stream.on('metadata', done)), 'the stream is open');
		assert((await hub.ok('token', 'rotate')).includes(path.join(hub.dir, 'token')), 'it names the file');
		same((await bounded(ended, 'the stream of the old token')).code, grpc.status.UNAVAILABLE, 'its status');
		same((await unary(client, 'Call', echo('no'), bearer(old))).code, grpc.status.UNAUTHENTICATED, 'the old one');
		const now = tokenOf(hub);
		assert(now !== old, 'another token');
		same(fs.statSync(path.join(hub.dir, 'token')).mode & 0o777, 0o600, 'its mode');
		same(JSON.parse((await unary(client, 'Call', echo('new'), bearer(now))).json).result.content[0].text, 'Echo: new', 'the new one');
		client.close();
		const restarted = await hub.executor('daemon', 'restart');
		assert(restarted.code === 0 && restarted.err.includes(`http://${tcp_target} is not served any more`), restarted.err);
		same(await bounded(daemon.gone, 'the end of the daemon'), 0, 'its status');
		await hub.ok('daemon', 'stop');
		// The next daemon takes the same one.
		const next = await listening(hub);
		same(tokenOf(hub), now, 'after a restart');
		await next.end();
		// And it is rotated by one that serves no port.
		await hub.ok('token', 'rotate');
		assert(tokenOf(hub) !== now, 'rotated without a port');
	},

	async a_web_page_and_a_foreign_name_are_refused(hub) {
		const daemon = await listening(hub);
		const { tcp_target } = await endpoint(hub);
		const good = bearer(tokenOf(hub));
		const client = new mcp.McpService(tcp_target, insecure);
		const page = await unary(client, 'Call', echo('no'), { ...good, origin: 'http://localhost:3000' });
		same(page.code, grpc.status.PERMISSION_DENIED, 'with an origin');
		assert(page.details.includes('origin'), page.details);
		const port = tcp_target.split(':').pop();
		const rebound = new mcp.McpService(tcp_target, insecure, { 'grpc.default_authority': `rebound.example:${port}` });
		const name = await unary(rebound, 'Call', echo('no'), good);
		same(name.code, grpc.status.PERMISSION_DENIED, 'by another name');
		assert(name.details.includes('rebound.example'), name.details);
		const local = new mcp.McpService(tcp_target, insecure, { 'grpc.default_authority': `localhost:${port}` });
		assert(JSON.parse((await unary(local, 'Call', echo('yes'), good)).json).id === 1, 'localhost');
		for (const c of [client, rebound, local])
			c.close();
		await daemon.end();
	},

	async the_admin_service_must_be_granted(hub) {
		let daemon = await listening(hub);
		const ask = async method => {
			const client = new admin.AdminService((await endpoint(hub)).tcp_target, insecure);
			const answer = await unary(client, method, {}, bearer(tokenOf(hub)));
			client.close();
			return answer;
		};
		const denied = await ask('GetStatus');
		same(denied.code, grpc.status.PERMISSION_DENIED, 'by default');
		assert(denied.details.includes('--tcp-admin'), denied.details);
		const before = tokenOf(hub);
		same((await ask('RotateToken')).code, grpc.status.PERMISSION_DENIED, 'nor another token');
		same(tokenOf(hub), before, 'the token');
		await daemon.end();
		daemon = await listening(hub, '--tcp-admin');
		same(Number((await ask('GetStatus')).pid), hub.daemons()[0], 'granted');
		same(await ask('RotateToken'), {}, 'who asks for another token hears the answer');
		assert(tokenOf(hub) !== before, 'another token');
		await daemon.end();
	},

	async the_token_is_in_no_place_but_its_file(hub) {
		const child = spawn(path.join(bin, 'executord'), ['--data-dir', hub.dir, '--listen', '127.0.0.1:0', '--log-level', 'debug'],
			{ env: hub.env, stdio: ['ignore', 'ignore', 'pipe'] });
		let said = '';
		child.stderr.on('data', text => { said += text; });
		await until('the daemon serves', () => hub.manifest()?.tcp_url);
		const first = tokenOf(hub);
		const { tcp_target } = await endpoint(hub);
		const client = new mcp.McpService(tcp_target, insecure);
		const outputs = [];
		for (const headers of [{}, bearer(first), { ...bearer(first), origin: 'x' }, bearer(`${first}x`), { authorization: first }]) {
			const answer = await unary(client, 'Call', echo('x'), headers);
			outputs.push(answer.details ?? '', JSON.stringify(answer.metadata?.getMap() ?? {}));
		}
		client.close();
		for (const command of [['endpoint'], ['endpoint', '--format', 'shell'], ['endpoint', '--format', 'json'],
			['endpoint', '--format', 'grpc', '--tcp'], ['status'], ['doctor'], ['token', 'rotate'], ['logs'], ['-v', 'endpoint']]) {
			const r = await hub.executor(...command);
			outputs.push(r.out, r.err);
		}
		const second = tokenOf(hub);
		fs.chmodSync(path.join(hub.dir, 'token'), 0o644);
		for (const command of [['endpoint', '--show-token'], ['doctor']]) {
			const r = await hub.executor(...command);
			assert(r.code !== 0 && (r.out + r.err).includes('mode 0644'), `${command}: ${r.out}${r.err}`);
			outputs.push(r.out, r.err);
		}
		for (const pid of hub.daemons())
			outputs.push(fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1'), fs.readFileSync(`/proc/${pid}/environ`, 'latin1'));
		child.kill('SIGTERM');
		await bounded(new Promise(done => child.on('close', done)), 'the end of the daemon');
		outputs.push(said);
		for (const file of fs.readdirSync(hub.root, { recursive: true }).map(f => path.join(hub.root, f)))
			if (fs.statSync(file, { throwIfNoEntry: false })?.isFile() && path.basename(file) !== 'token')
				outputs.push(fs.readFileSync(file, 'latin1'));
		assert(outputs.some(o => o.includes('the token is not valid')), 'the refusal was logged or told');
		for (const secret of [first, second])
			for (const output of outputs)
				assert(!output.includes(secret), `a token stands in: ${output.slice(0, 200)}`);
	},

	async the_doctor_looks_at_it(hub) {
		const daemon = await listening(hub);
		const { tcp, token_file } = await endpoint(hub);
		const findings = async () => JSON.parse((await hub.executor('doctor', '-o', 'json')).out).checks
			.filter(f => f.group === 'Endpoints').map(f => [f.status, f.text, f.fix].join('; '));
		const good = await findings();
		assert(good.length === 2 && good.every(f => f.startsWith('ok; ')) && good[1].includes(tcp), good.join('\n'));
		fs.writeFileSync(token_file, 'B'.repeat(43), { mode: 0o600 });
		assert((await findings())[1].startsWith(`error; ${tcp} does not take the token`), 'a forged one');
		fs.unlinkSync(token_file);
		assert((await findings())[0].startsWith('error; ') && (await findings())[0].endsWith('; executor token rotate'), 'none');
		await hub.ok('token', 'rotate');
		same(await findings(), good, 'once it is rotated');
		await daemon.end();
		same((await findings()).map(f => f.split(';')[0]), ['ok'], 'without a daemon');
	},

	async another_user_cannot_read_it(hub) {
		const daemon = await listening(hub);
		const file = path.join(hub.dir, 'token');
		same([fs.statSync(file).mode & 0o777, fs.statSync(hub.dir).mode & 0o777], [0o600, 0o700], 'modes');
		if (process.getuid() === 0) {
			// The file's own mode must do, whatever the directory's is.
			fs.chmodSync(hub.root, 0o755);
			fs.chmodSync(hub.dir, 0o755);
			const code = await new Promise(done => spawn('/bin/cat', [file], { uid: 65534, gid: 65534, stdio: 'ignore' }).on('close', done));
			fs.chmodSync(hub.dir, 0o700);
			assert(code !== 0, 'another user read the token');
		}
		await daemon.end();
	},

	async a_person_takes_the_place_of_an_elected_daemon(hub) {
		const adapters = Array.from({ length: 4 }, () => hub.adapter());
		for (const a of adapters)
			await a.initialize();
		const status = a => a.call('executor__status').then(m => assert(m.result, JSON.stringify(m)));
		await Promise.all(adapters.map(status));
		// Candidates that lose live for a moment, too.
		const only = what => until(`${what}: ${hub.daemons()}`, () => hub.daemons().length === 1 && hub.daemons());
		let before = await only('one is elected');
		// Its clients want another one as soon as it ends.
		for (let i = 0; i < 3; i++) {
			const daemon = await listening(hub, '--replace');
			same(await only('one is left'), [daemon.pid], 'the only one');
			assert(!before.includes(daemon.pid), 'another one');
			assert((await endpoint(hub)).tcp, 'and it serves a port');
			await Promise.all(adapters.map(status));
			before = [daemon.pid];
			if (i < 2)
				continue;
			await daemon.end();
			await Promise.all(adapters.map(status));
			same((await endpoint(hub)).tcp, null, 'elected again, without a port');
		}
	},

	async what_cannot_be_served_is_said(hub) {
		const refused = async (status, text, ...options) => {
			const r = await hub.executor('daemon', 'run', ...options);
			same(r.code, status, `${options}: ${r.out}${r.err}`);
			assert(r.err.includes(text), `${options}: ${r.err}`);
		};
		await refused(2, '--listen-beyond-loopback', '--listen', '0.0.0.0:0');
		await refused(2, '--listen-beyond-loopback', '--listen', '[::]:4780');
		await refused(2, 'not looked up', '--listen', 'example.org:4780');
		const other = net.createServer().listen(0, '127.0.0.1');
		await new Promise(done => other.on('listening', done));
		const taken = `127.0.0.1:${other.address().port}`;
		for (let i = 0; i < 3; i++)
			await refused(69, `another program listens on ${taken}`, '--listen', taken);
		// Nobody else has to wait because of that.
		assert((await endpoint(hub)).tcp === null, 'a daemon is elected at once');
		await refused(75, 'executor daemon run --replace', '--listen', taken);
		other.close();
	},
});
