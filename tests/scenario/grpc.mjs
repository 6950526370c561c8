// Stock gRPC clients talk to the daemon as they would to any server.
import crypto from 'node:crypto';
import grpc from '@grpc/grpc-js';
import { assert, bounded, same, scenarios, until } from '../support/harness.mjs';
import { load, serving } from '../support/health.mjs';

const mcp = load('executor/mcp/v1/mcp.proto').executor.mcp.v1;
const admin = load('executor/admin/v1/admin.proto').executor.admin.v1;

async function stub(hub, Service) {
	await hub.ok('endpoint'); // somebody must have started a daemon
	return new Service(`unix:${hub.socket()}`, grpc.credentials.createInsecure());
}

const unary = (client, method, request, options = {}) => bounded(new Promise((done, fail) => {
	client[method](request, { deadline: Date.now() + 30000, ...options },
		(error, answer) => error ? fail(error) : done(answer));
}), method);

const json = message => Buffer.from(JSON.stringify(message));

await scenarios({
	async health_is_answered_per_service(hub) {
		await hub.ok('endpoint');
		for (const service of ['', 'executor.mcp.v1.McpService', 'executor.admin.v1.AdminService'])
			assert(await serving(hub.socket(), service), `health of '${service}'`);
		const { Health } = load('grpc/health/v1/health.proto').grpc.health.v1;
		const client = await stub(hub, Health);
		const error = await unary(client, 'Check', { service: 'no.such.Service' }).catch(e => e);
		same(error.code, grpc.status.NOT_FOUND, 'an unknown service');
		client.close();
	},

	async a_watch_hears_that_the_daemon_stops(hub) {
		const { Health } = load('grpc/health/v1/health.proto').grpc.health.v1;
		const client = await stub(hub, Health);
		const { statuses } = await unary(client, 'List', {});
		same(Object.keys(statuses).includes('executor.mcp.v1.McpService'), true, 'List has the services');
		same([...new Set(Object.values(statuses).map(s => s.status))], ['SERVING'], 'List');
		const watch = service => {
			const seen = [];
			const call = client.Watch({ service });
			call.on('data', answer => seen.push(answer.status));
			const end = bounded(new Promise(done => call.on('error', e => done(e.code))), `the end of the watch of '${service}'`);
			return { seen, end };
		};
		const watches = ['', 'executor.mcp.v1.McpService', 'no.such.Service'].map(watch);
		await until('every watch heard something', () => watches.every(w => w.seen.length > 0));
		await hub.ok('daemon', 'stop');
		for (const w of watches)
			same(await w.end, grpc.status.UNAVAILABLE, 'the end of a watch');
		same(watches.map(w => w.seen), [['SERVING', 'NOT_SERVING'], ['SERVING', 'NOT_SERVING'], ['SERVICE_UNKNOWN']], 'what was heard');
		client.close();
	},

	async one_call_without_a_session(hub) {
		await hub.addEverything('ev');
		const client = await stub(hub, mcp.McpService);
		const call = async (request, rest = {}) => JSON.parse((await unary(client, 'Call', { json: json(request), ...rest })).json);
		const answer = await call({ jsonrpc: '2.0', id: 'x', method: 'tools/call', params: { name: 'ev__echo', arguments: { message: 'grpc' } } });
		same([answer.id, answer.result.content[0].text], ['x', 'Echo: grpc'], 'by its exposed name');
		const own = await call({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'echo', arguments: { message: 'own' } } }, { source: 'ev' });
		same(own.result.content[0].text, 'Echo: own', "by the source's own name");
		assert((await call({ jsonrpc: '2.0', id: 2, method: 'tools/list' })).result.tools.length > 5, 'tools/list');
		same((await call({ jsonrpc: '2.0', id: 3, method: 'nothing' })).error.code, -32601, 'an unknown method');
		const error = await unary(client, 'Call', { json: Buffer.from('{') }).catch(e => e);
		same(error.code, grpc.status.INVALID_ARGUMENT, 'no JSON');
		client.close();
	},

	async a_session_by_hand(hub) {
		const client = await stub(hub, mcp.McpService);
		const stream = client.Session();
		const seen = [];
		let wake = () => {};
		stream.on('data', e => { seen.push(e); wake(); });
		stream.on('error', () => {});
		const next = kind => bounded((async () => {
			for (;;) {
				const at = seen.findIndex(e => e.body === kind);
				if (at >= 0)
					return seen.splice(at, 1)[0][kind];
				await new Promise(done => { wake = done; });
			}
		})(), kind);
		const manifest = hub.manifest();
		const instance = crypto.randomBytes(16);
		stream.write({ hello: { protocolMin: 1, protocolMax: 1, version: 'test', adapterInstance: instance } });
		const welcome = await next('welcome');
		same([welcome.protocol, welcome.epoch, welcome.session.length], [1, manifest.epoch, 16], 'welcome');
		const tool = id => json({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'executor__status', arguments: {} } });
		stream.write({ message: { sequence: 1, effect: true, json: tool(1) } });
		const first = await next('message');
		same([first.sequence, JSON.parse(first.json).id], ['1', 1], 'the answer');
		stream.write({ message: { sequence: 2, effect: true, json: tool(2) } });
		same(JSON.parse((await next('message')).json).id, 2, 'the second answer');
		// Resumed on another stream, the first one is told so.
		const other = client.Session();
		const resumed = bounded(new Promise((done, fail) => {
			other.once('data', done);
			other.once('error', fail);
		}), 'welcome of the second stream');
		other.write({ hello: { protocolMin: 1, protocolMax: 1, adapterInstance: instance, session: welcome.session, received: 2 } });
		const again = (await resumed).welcome;
		same([again.resumed, again.received, again.session.equals(welcome.session)], [true, '2', true], 'resumed');
		same((await next('goodbye')).reason, 'REASON_SUPERSEDED', 'the first stream');
		const third = bounded(new Promise(done => {
			other.on('data', e => e.message && done(JSON.parse(e.message.json).id));
		}), 'the third answer');
		other.write({ message: { sequence: 3, effect: true, json: tool(3) } });
		same(await third, 3, 'the next answer comes on the second stream');
		other.write({ goodbye: { reason: 'REASON_CLIENT_LEFT' } });
		other.end();
		stream.end();
		client.close();
	},

	async a_wrong_hello_is_refused_with_a_status(hub) {
		const client = await stub(hub, mcp.McpService);
		const status = first => bounded(new Promise(done => {
			const stream = client.Session();
			stream.on('data', () => {});
			stream.on('error', error => done(error.code));
			stream.on('end', () => {});
			stream.write(first);
		}), 'a status');
		const id = crypto.randomBytes(16);
		same(await status({ message: { sequence: 1, json: Buffer.from('{}') } }), grpc.status.INTERNAL, 'no hello');
		same(await status({ hello: { protocolMin: 9, protocolMax: 12, adapterInstance: id } }), grpc.status.FAILED_PRECONDITION, 'another protocol');
		same(await status({ hello: { protocolMin: 1, protocolMax: 1, adapterInstance: id, epoch: 999 } }), grpc.status.FAILED_PRECONDITION, 'another epoch');
		same(await status({ hello: { protocolMin: 1, protocolMax: 1, adapterInstance: Buffer.from('short') } }), grpc.status.INTERNAL, 'a short instance');
		client.close();
	},

	async errors_are_statuses(hub) {
		const client = await stub(hub, admin.AdminService);
		const status = await unary(client, 'GetStatus', {});
		same(Number(status.pid), hub.daemons()[0], 'GetStatus');
		same((await unary(client, 'GetSource', { name: 'nothing' }).catch(e => e)).code, grpc.status.NOT_FOUND, 'no such source');
		const bad = await unary(client, 'AddSource', { name: 'Nö', command: [Buffer.from('true')], cwd: Buffer.from('/') }).catch(e => e);
		same(bad.code, grpc.status.INVALID_ARGUMENT, 'a bad name');
		assert(bad.details.includes('Nö'), `the text names it: ${bad.details}`);
		const late = await unary(client, 'ListTools', {}, { deadline: Date.now() - 1 }).catch(e => e);
		same(late.code, grpc.status.DEADLINE_EXCEEDED, 'a deadline that has passed');
		const { Health } = load('grpc/health/v1/health.proto').grpc.health.v1;
		const none = new grpc.Client(`unix:${hub.socket()}`, grpc.credentials.createInsecure());
		const unknown = await new Promise(done => none.makeUnaryRequest('/no.such.Service/Method', b => b, b => b, Buffer.alloc(0), done));
		same(unknown.code, grpc.status.UNIMPLEMENTED, 'an unknown method');
		none.close();
		client.close();
		assert(Health, 'health');
	},
});
