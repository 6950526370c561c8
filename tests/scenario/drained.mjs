// A daemon that is drained loses no call of a stock client: each is answered,
// or it was never begun and its client is told so.
import fs from 'node:fs';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import { assert, bin, bounded, same, scenarios, until } from '../support/harness.mjs';
import { load } from '../support/health.mjs';
import * as h2 from '../support/rawh2.mjs';

const mcp = load('executor/mcp/v1/mcp.proto').executor.mcp.v1;
const admin = load('executor/admin/v1/admin.proto').executor.admin.v1;
const fake = path.join(bin, '..', 'tests', 'fake_source');
const calls = fileURLToPath(new URL('../support/calls.py', import.meta.url));

// A daemon with these options.
async function started(hub, ...options) {
	const child = spawn(path.join(bin, 'executord'), ['--data-dir', hub.dir, ...options],
		{ env: hub.env, cwd: hub.root, stdio: 'ignore' });
	await until('it serves', () => fs.existsSync(hub.socket()) || child.exitCode !== null);
}

// A source that writes a line for each call that it executes.
async function oracle(hub) {
	hub.effects = path.join(hub.root, 'effects');
	fs.writeFileSync(hub.effects, '');
	await hub.ok('source', 'add', 'oracle', '--env', `EFFECTS=${hub.effects}`, '-q', '--', fake);
	await hub.ok('endpoint');
}

const executed = hub => fs.readFileSync(hub.effects, 'utf8').split('\n').length - 1;

const request = (name, args) => ({ json: Buffer.from(JSON.stringify(
	{ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } })) });

const stop = async hub => {
	const r = await hub.executor('daemon', 'stop');
	same(r.code, 0, `daemon stop: ${r.err}`);
};

await scenarios({
	async with_grpc_js_each_call_ends_once(hub) {
		await oracle(hub);
		const client = new mcp.McpService(`unix:${hub.socket()}`, grpc.credentials.createInsecure());
		const counts = {};
		const run = async () => {
			for (;;) {
				const code = await bounded(new Promise(done => client.Call(
					request('oracle__echo', {}), { deadline: Date.now() + 60000 }, error => done(error?.code ?? 0))), 'a call');
				counts[code] = (counts[code] ?? 0) + 1;
				if (code !== grpc.status.OK)
					return;
			}
		};
		const runs = Array.from({ length: 8 }, run);
		await until('calls are answered', () => counts[0] > 100);
		await stop(hub);
		await Promise.all(runs);
		client.close();
		same(Object.keys(counts), ['0', String(grpc.status.UNAVAILABLE)], `statuses of ${JSON.stringify(counts)}`);
		same(executed(hub), counts[0], 'what was executed is what was answered');
	},

	async with_grpcio_each_call_ends_once(hub) {
		await oracle(hub);
		const child = spawn('/usr/bin/python3', [calls, hub.socket(), 'oracle__echo', '4'], { env: hub.env });
		let out = '', err = '';
		child.stdout.on('data', text => { out += text; });
		child.stderr.on('data', text => { err += text; });
		const ended = new Promise(done => child.on('close', done));
		await until(`calls are answered: ${err}`, () => err.includes('READY') || child.exitCode !== null);
		await stop(hub);
		same(await bounded(ended, 'calls.py'), 0, err);
		const counts = Object.fromEntries(out.trim().split('\n').map(l => l.split(' ')));
		same(Object.keys(counts), ['OK', 'UNAVAILABLE'], `statuses: ${out}`);
		same(executed(hub), Number(counts.OK), 'what was executed is what was answered');
	},

	async what_runs_is_finished(hub) {
		await hub.addEverything('ev');
		await hub.ok('endpoint');
		const client = new mcp.McpService(`unix:${hub.socket()}`, grpc.credentials.createInsecure());
		client.admin = new admin.AdminService(`unix:${hub.socket()}`, grpc.credentials.createInsecure());
		const call = (name, args) => bounded(new Promise(done => client.Call(
			request(name, args), { deadline: Date.now() + 60000 }, (error, answer) => done({ error, answer }))), name);
		assert(!(await call('ev__echo', { message: 'x' })).error, 'the source runs');
		const slow = call('ev__trigger-long-running-operation', { duration: 2, steps: 2 });
		await until('it is in flight', () => new Promise(done => client.admin.ListCalls(
			{}, (error, answer) => done(answer?.calls.length === 1))));
		const stopped = stop(hub);
		const { error, answer } = await slow;
		assert(!error, `the call in flight: ${error}`);
		assert(answer.json.toString().includes('completed'), answer.json.toString());
		await stopped;
		client.close();
		client.admin.close();
	},

	// Each second the daemon leaves the connection that there is, and the
	// client makes another one.
	async a_client_does_not_notice_that_its_connection_grew_old(hub) {
		await started(hub, '--client-age', '1', '--log-level', 'debug');
		await oracle(hub);
		const client = new mcp.McpService(`unix:${hub.socket()}`, grpc.credentials.createInsecure());
		const log = () => fs.readFileSync(path.join(hub.dir, 'logs', 'executord.log'), 'utf8');
		const gone = () => [...log().matchAll(/peer +n=\d+ closed/g)].length;
		const before = gone();
		let answered = 0;
		const run = async () => {
			while (gone() < before + 3) {
				await bounded(new Promise((done, fail) => client.Call(
					request('oracle__echo', {}), { deadline: Date.now() + 60000 }, error => error ? fail(error) : done())), 'a call');
				answered++;
			}
		};
		await Promise.all(Array.from({ length: 8 }, run));
		client.close();
		same(executed(hub), answered, 'what was executed is what was answered');
	},

	async a_connection_without_calls_is_left(hub) {
		await started(hub, '--client-idle', '1');
		const raw = new h2.Raw({ path: hub.socket() });
		const said = [];
		raw.onFrame = (type, flags, stream, body) => {
			if (type === h2.GOAWAY)
				said.push([body.readUInt32BE(0), body.readUInt32BE(4)]);
			if (type === h2.PING && !(flags & h2.ACK))
				raw.write(h2.frame(h2.PING, h2.ACK, 0, body));
		};
		await raw.settled(h2.hello);
		await bounded(raw.closed, 'the end');
		same(said, [[0x7fffffff, 0], [0, 0]], 'last stream and error of each GOAWAY');
		const client = new admin.AdminService(`unix:${hub.socket()}`, grpc.credentials.createInsecure());
		const status = () => bounded(new Promise((done, fail) => client.GetStatus(
			{}, (error, answer) => error ? fail(error) : done(answer.counters.connections))), 'GetStatus');
		same(await status(), 1, 'connections');
		await until('the channel is idle', () => client.getChannel().getConnectivityState(false) === grpc.connectivityState.IDLE);
		same(await status(), 1, 'connections, on a new one');
		client.close();
	},

	async a_silent_client_is_asked_and_stays(hub) {
		await started(hub, '--client-keepalive', '1');
		const client = new admin.AdminService(`unix:${hub.socket()}`, grpc.credentials.createInsecure());
		const status = () => bounded(new Promise((done, fail) => client.GetStatus(
			{}, (error, answer) => error ? fail(error) : done(answer.counters.connections))), 'GetStatus');
		const raw = new h2.Raw({ path: hub.socket() });
		let asked = 0;
		raw.onFrame = (type, flags, stream, body) => {
			if (type !== h2.PING || flags & h2.ACK)
				return;
			asked++;
			raw.write(h2.frame(h2.PING, h2.ACK, 0, body));
		};
		await raw.settled(h2.hello);
		same(await status(), 2, 'connections');
		await bounded(raw.until(() => asked === 3), 'three pings');
		same(client.getChannel().getConnectivityState(false), grpc.connectivityState.READY, 'the stock client');
		same(await status(), 2, 'connections after three pings');
		await raw.close();
		client.close();
	},

	async the_number_of_the_last_call_follows_a_round_trip(hub) {
		await hub.ok('endpoint');
		const raw = new h2.Raw({ path: hub.socket() });
		const said = [];
		raw.onFrame = (type, flags, stream, body) => {
			if (type === h2.GOAWAY)
				said.push([body.readUInt32BE(0), body.readUInt32BE(4)]);
			if (type !== h2.PING || flags & h2.ACK)
				return;
			// What has not heard of it yet is still served.
			raw.write(h2.frame(h2.HEADERS, h2.END_HEADERS, 3, h2.request('/grpc.health.v1.Health/Check')),
				h2.frame(h2.PING, h2.ACK, 0, body));
		};
		const open = id => h2.frame(h2.HEADERS, h2.END_HEADERS, id, h2.request('/grpc.health.v1.Health/Check'));
		const end = id => h2.frame(h2.DATA, h2.END_STREAM, id, h2.message(Buffer.alloc(0)));
		await raw.settled(Buffer.concat([h2.hello, open(1)]));
		const stopped = stop(hub);
		await bounded(raw.until(() => said.length === 2), 'the second GOAWAY');
		await raw.write(end(1), end(3));
		await bounded(raw.closed, 'the end');
		same(said, [[0x7fffffff, 0], [3, 0]], 'last stream and error of each GOAWAY');
		same([...raw.ended], [1, 3], 'both calls are answered');
		await stopped;
	},
});
