// Clients that have no .proto file find out by reflection what to call, and
// call it: buf's, Python's own descriptors, a package for Node.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import reflection from 'grpc-js-reflection-client';
import { assert, bounded, same, scenarios } from '../support/harness.mjs';
import { load } from '../support/health.mjs';

const tests = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const services = [
	'executor.admin.v1.AdminService', 'executor.mcp.v1.McpService', 'grpc.health.v1.Health',
	'grpc.reflection.v1.ServerReflection', 'grpc.reflection.v1alpha.ServerReflection',
];
const here = list => services.every(s => list.includes(s));

async function run(hub, command, args) {
	const r = await hub.run(command, args);
	assert(r.code === 0, `${command} ${args.join(' ')}: ${r.code}\n${r.out}${r.err}`);
	return r.out;
}

const curl = (hub, ...args) => run(hub, path.join(tests, 'contract/node_modules/.bin/buf'), [
	'curl', '--protocol', 'grpc', '--http2-prior-knowledge', '--unix-socket', hub.socket(), ...args]);

const lines = text => text.trim().split('\n');

await scenarios({
	async buf_lists_describes_and_calls(hub) {
		await hub.ok('endpoint');
		for (const protocol of ['grpc-v1', 'grpc-v1alpha']) {
			const by = (...args) => curl(hub, '--reflect-protocol', protocol, ...args);
			const list = lines(await by('--list-services', 'http://localhost'));
			assert(here(list), `${protocol}: ${list}`);
			const methods = lines(await by('--list-methods', 'http://localhost'));
			// All of them are known with their types, of every service.
			for (const s of list)
				assert(methods.some(m => m.startsWith(`${s}/`)), `${protocol}: methods of ${s}`);
			const answer = JSON.parse(await by('-d', '{}', 'http://localhost/executor.admin.v1.AdminService/GetStatus'));
			same(Number(answer.pid), hub.daemons()[0], `${protocol}: the answer`);
		}
	},

	async every_method_of_the_contract_is_there(hub) {
		await hub.ok('endpoint');
		const told = lines(await curl(hub, '--list-methods', 'http://localhost'));
		const protos = path.join(tests, '../proto');
		const wanted = fs.readdirSync(protos, { recursive: true }).filter(f => f.endsWith('.proto'))
			.flatMap(f => {
				const text = fs.readFileSync(path.join(protos, f), 'utf8');
				const name = `${text.match(/^package (.*);/m)[1]}.${text.match(/^service (\w+)/m)?.[1]}`;
				return [...text.matchAll(/^ {2}rpc (\w+)/gm)].map(m => `${name}/${m[1]}`);
			});
		same(told.sort(), wanted.sort(), 'methods');
		// And somebody is at home: bytes that are no request reach each of them.
		const client = new grpc.Client(`unix:${hub.socket()}`, grpc.credentials.createInsecure());
		for (const method of told) {
			const error = await bounded(new Promise(done => client.makeUnaryRequest(
				`/${method}`, b => b, b => b, Buffer.from([0xff]), done)), method);
			assert(error?.code !== grpc.status.UNIMPLEMENTED, `${method} is implemented: ${error}`);
		}
		client.close();
	},

	async python_builds_its_messages_from_what_it_is_told(hub) {
		await hub.ok('endpoint');
		for (const version of ['v1', 'v1alpha']) {
			const stubs = path.join(hub.root, version);
			fs.mkdirSync(stubs);
			await run(hub, 'protoc', ['-I', path.join(tests, `../proto/grpc/reflection/${version}`), `--python_out=${stubs}`, 'reflection.proto']);
			const out = lines(await run(hub, '/usr/bin/python3', [path.join(tests, 'support/reflect.py'), hub.socket(), version, stubs,
				'executor.admin.v1.AdminService/GetStatus', '{}']));
			assert(here(out.slice(0, -1)), `${version}: ${out}`);
			same(Number(JSON.parse(out.at(-1)).pid), hub.daemons()[0], `${version}: the answer`);
		}
	},

	async a_node_client_loads_a_package_from_it(hub) {
		await hub.ok('endpoint');
		const target = `unix:${hub.socket()}`;
		for (const version of ['v1', 'v1alpha']) {
			const client = new reflection.GrpcReflection(target, grpc.ChannelCredentials.createInsecure(), undefined, version);
			assert(here(await bounded(client.listServices(), 'listServices')), 'services');
			const descriptor = await bounded(client.getDescriptorBySymbol('executor.mcp.v1.McpService'), 'getDescriptorBySymbol');
			const { McpService } = descriptor.getPackageObject({ keepCase: true }).executor.mcp.v1;
			const stub = new McpService(target, grpc.credentials.createInsecure());
			const request = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'executor__status', arguments: {} } };
			const answer = await bounded(new Promise((done, fail) => stub.Call({ json: Buffer.from(JSON.stringify(request)) },
				(error, response) => error ? fail(error) : done(JSON.parse(response.json)))), 'Call');
			same([answer.id, answer.error], [1, undefined], 'the answer');
			stub.close();
			client.client?.close?.();
		}
	},

	async answers_come_in_order_while_questions_still_come(hub) {
		await hub.ok('endpoint');
		const { ServerReflection } = load('grpc/reflection/v1/reflection.proto').grpc.reflection.v1;
		const client = new ServerReflection(`unix:${hub.socket()}`, grpc.credentials.createInsecure());
		const stream = client.ServerReflectionInfo();
		const answers = [];
		const done = bounded(new Promise((end, fail) => {
			stream.on('data', a => answers.push(a));
			stream.on('end', end);
			stream.on('error', fail);
		}), 'all answers', 120000);
		const asked = [];
		for (let i = 0; i < 500; i++)
			asked.push(i % 3 ? `executor.mcp.v1.${i % 2 ? 'Envelope' : 'Hello'}` : `no.such.Thing${i}`);
		for (const name of asked)
			stream.write({ host: '', fileContainingSymbol: name });
		stream.end();
		await done;
		same(answers.map(a => a.originalRequest.fileContainingSymbol), asked, 'the order');
		for (const [i, a] of answers.entries())
			same(a.messageResponse, i % 3 ? 'fileDescriptorResponse' : 'errorResponse', asked[i]);
		client.close();
	},
});
