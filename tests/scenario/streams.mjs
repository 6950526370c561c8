// Streams of the services beside Session: CallStream with a stock client, and
// the session of mcp-grpc-transport, with that package's own transport under an
// SDK client.
import { spawn } from 'node:child_process';
import path from 'node:path';
import grpc from '@grpc/grpc-js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { GrpcMcpSessionTransport } from 'mcp-grpc-transport';
import { assert, bounded, same, scenarios, until } from '../support/harness.mjs';
import { load } from '../support/health.mjs';

const mcp = load('executor/mcp/v1/mcp.proto').executor.mcp.v1;
const admin = load('executor/admin/v1/admin.proto').executor.admin.v1;
const lines = load('mcp/transport/v1/mcp.proto').mcp.transport.v1;

async function stub(hub, Service) {
	await hub.ok('endpoint'); // somebody must have started a daemon
	return new Service(`unix:${hub.socket()}`, grpc.credentials.createInsecure());
}

const request = (id, name, args, _meta) => ({
	jsonrpc: '2.0', id, method: 'tools/call',
	params: { name, arguments: args, ...(_meta ? { _meta } : {}) },
});

// Everything that a CallStream says, and its status.
function heard(stream) {
	const seen = [];
	stream.on('data', e => seen.push([e.event, JSON.parse(e[e.event])]));
	return bounded(new Promise(done => {
		stream.on('error', error => done({ seen, code: error.code, details: error.details }));
		stream.on('end', () => done({ seen, code: 0 }));
	}), 'the end of the stream');
}

const in_flight = async hub =>
	JSON.parse(await hub.ok('status', '-o', 'json')).counters.requests_in_flight;

await scenarios({
	async progress_comes_before_the_response(hub) {
		await hub.addEverything('ev');
		const client = await stub(hub, mcp.McpService);
		const call = request('x', 'ev__trigger-long-running-operation',
			{ duration: 0.6, steps: 3 }, { progressToken: 'mine' });
		const { seen, code } = await heard(client.CallStream({ json: Buffer.from(JSON.stringify(call)) }));
		same(code, 0, 'status');
		const progress = seen.filter(([, m]) => m.method === 'notifications/progress');
		same(progress.map(([kind, m]) => [kind, m.params.progressToken, m.params.progress]),
			[1, 2, 3].map(n => ['notification', 'mine', n]), 'progress');
		same([seen.at(-1)[0], seen.at(-1)[1].id], ['response', 'x'], 'the last message');
		client.close();
	},

	async a_stream_that_is_given_up_is_cancelled_at_the_source(hub) {
		await hub.addEverything('ev');
		const client = await stub(hub, mcp.McpService);
		const call = request(1, 'ev__trigger-long-running-operation',
			{ duration: 30, steps: 300 }, { progressToken: 1 });
		const stream = client.CallStream({ json: Buffer.from(JSON.stringify(call)) });
		const end = heard(stream);
		await bounded(new Promise(done => stream.once('data', done)), 'progress');
		same(await in_flight(hub), 1, 'in flight');
		stream.cancel();
		same((await end).code, grpc.status.CANCELLED, 'status');
		await until('nothing is in flight', async () => await in_flight(hub) === 0);
		client.close();
	},

	async what_cannot_be_asked_is_a_status(hub) {
		const client = await stub(hub, mcp.McpService);
		const asked = (json, rest = {}) => heard(client.CallStream({ json: Buffer.from(json), ...rest }));
		same((await asked('{')).code, grpc.status.INVALID_ARGUMENT, 'no JSON');
		const bad = await asked('{"jsonrpc":"2.0","id":1,"method":"ping"}', { logLevel: 'loud' });
		same(bad.code, grpc.status.INVALID_ARGUMENT, 'no level');
		assert(bad.details.includes('loud'), bad.details);
		const { seen, code } = await asked('{"jsonrpc":"2.0","id":1,"method":"nothing"}');
		same([code, seen[0][0], seen[0][1].error.code], [0, 'response', -32601], 'an error of MCP is no error of gRPC');
		client.close();
	},

	async an_sdk_client_speaks_through_mcp_grpc_transport(hub) {
		await hub.addEverything('ev');
		const service = await stub(hub, lines.Mcp);
		const call = service.Session();
		// The package writes its transport for the server's end, which has
		// these; the frames are the same from the client's.
		const transport = new GrpcMcpSessionTransport(Object.assign(call, {
			metadata: new grpc.Metadata(), getHost: () => 'localhost', getPath: () => '/',
		}));
		const client = new Client({ name: 'over-grpc', version: '1' });
		await bounded(client.connect(transport), 'connect');
		same(client.getServerVersion().name, 'executor', 'the server');
		const { tools } = await client.listTools();
		assert(tools.some(t => t.name === 'ev__echo'), 'the tools of the source');
		const progress = [];
		const answer = await client.callTool(
			{ name: 'ev__trigger-long-running-operation', arguments: { duration: 0.4, steps: 2 } },
			undefined, { onprogress: p => progress.push(p.progress) });
		assert(answer.content[0].text.includes('completed'), JSON.stringify(answer));
		same(progress, [1, 2], 'progress');
		const sessions = JSON.parse(await hub.ok('status', '-o', 'json')).sessions;
		same(sessions.map(s => s.client_name), ['over-grpc'], 'status knows the client');
		await client.close();
		await until('the session is gone', async () =>
			JSON.parse(await hub.ok('status', '-o', 'json')).sessions.length === 0);
		service.close();
	},

	async who_half_closes_gets_its_answers(hub) {
		await hub.addEverything('ev');
		const service = await stub(hub, lines.Mcp);
		const call = service.Session();
		const seen = [];
		call.on('data', line => seen.push(JSON.parse(line.line)));
		const ended = bounded(new Promise((done, fail) => {
			call.on('end', done);
			call.on('error', fail);
		}), 'the end');
		// Numbers and escapes come back as they were written.
		const odd = '{"jsonrpc":"2.0","id":12345678901234567890,"method":"tools/call","params":{"name":"ev__echo","arguments":{"message":"\\u0041\\u0000"}}}';
		call.write({ line: odd });
		call.write({ line: '' });
		call.write({ line: 'no JSON' });
		call.end();
		await ended;
		same(seen.find(m => m.error)?.error.code, -32700, 'what is no JSON');
		const answer = seen.find(m => m.result);
		same(answer.result.content[0].text, 'Echo: A\u0000', 'the answer');
		service.close();
	},

	async the_status_is_watched_until_the_daemon_stops(hub) {
		await hub.addEverything('ev');
		const client = await stub(hub, admin.AdminService);
		const stream = client.WatchStatus({ intervalMs: 100 });
		const seen = [];
		stream.on('data', s => seen.push(s));
		const error = new Promise(done => stream.on('error', done));
		await until('three statuses', () => seen.length >= 3);
		same(Number(seen[0].status.pid), hub.daemons()[0], 'whose');
		const adapter = hub.adapter();
		await adapter.initialize();
		const tool = (await adapter.tools()).find(t => t.includes('long'));
		const call = adapter.call(tool, { duration: 1, steps: 2 });
		const busy = await until('the call is seen', () => seen.find(s => s.calls.length > 0));
		same([busy.calls[0].source, busy.calls[0].clientName === ''], ['ev', false], 'whose call');
		await call;
		await until('and is gone', () => seen.at(-1).calls.length === 0);
		await adapter.close();
		await hub.ok('daemon', 'stop');
		same((await bounded(error, 'the end')).code, grpc.status.UNAVAILABLE, 'status');
		assert(seen.at(-1).status.draining, 'the last one says that it stops');
		client.close();
	},

	async a_watch_must_not_be_too_eager(hub) {
		const client = await stub(hub, admin.AdminService);
		const error = await bounded(new Promise(done =>
			client.WatchStatus({ intervalMs: 5 }).on('data', () => {}).on('error', done)), 'an error');
		same(error.code, grpc.status.INVALID_ARGUMENT, 'status');
		client.close();
	},

	async logs_are_read_and_followed(hub) {
		await hub.addEverything('ev');
		const client = await stub(hub, admin.AdminService);
		const collect = request => {
			const stream = client.WatchLog(request);
			const log = { text: '', stream };
			stream.on('data', piece => { log.text += piece.data; });
			log.end = new Promise(done => {
				stream.on('end', () => done(null));
				stream.on('error', done);
			});
			return log;
		};
		const once = collect({ lines: 3 });
		same(await bounded(once.end, 'the end of the log'), null, 'status');
		same(once.text.split('\n').length, 4, 'three lines');
		const followed = collect({ lines: 0, follow: true });
		await hub.ok('source', 'remove', 'ev');
		await until('what is written later', () => followed.text.includes('ev'));
		followed.stream.cancel();
		await bounded(followed.end, 'the cancelled stream');
		for (const [source, code] of [['../../etc/passwd', 'INVALID_ARGUMENT'], ['nothing', 'NOT_FOUND']])
			same((await bounded(collect({ source, lines: 1 }).end, source)).code, grpc.status[code], source);
		client.close();
	},

	async the_command_line_follows_a_log_across_daemons(hub) {
		await hub.ok('endpoint');
		const child = spawn(path.join(hub.bin, 'executor'), ['logs', '--follow', '--lines', '1'],
			{ env: hub.env, stdio: ['ignore', 'pipe', 'inherit'] });
		let text = '';
		child.stdout.on('data', piece => { text += piece; });
		const ended = new Promise(done => child.on('exit', done));
		await until('the first line', () => text.includes('\n'));
		await hub.ok('daemon', 'stop');
		await hub.ok('endpoint');
		await until('the next daemon speaks', () => text.includes('epoch=2'));
		child.stdout.destroy();
		await bounded(ended, 'it ends with its reader');
	},
});
