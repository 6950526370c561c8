// The interop cases with @grpc/grpc-js: client.mjs PROTOS ADDRESS [CASE...]
//
// Each case is what gRPC's doc/interop-test-descriptions.md says under its
// name; PROTOS is the folder of grpc/testing.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';

const require = createRequire(new URL('../package.json', import.meta.url));
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const PATIENCE_MS = 60000; // a case that hangs is a case that fails
const REQUESTS = [27182, 8, 1828, 45904];
const ANSWERS = [31415, 9, 2653, 58979];
const INITIAL = 'x-grpc-test-echo-initial';
const TRAILING = 'x-grpc-test-echo-trailing-bin';

const [protos, address, ...wanted] = process.argv.slice(2);
const { testing } = grpc.loadPackageDefinition(loader.loadSync('grpc/testing/test.proto', {
	includeDirs: [protos], keepCase: true, defaults: true,
})).grpc;

const stub = (options = {}, Service = testing.TestService) =>
	new Service(address, grpc.credentials.createInsecure(), {
		'grpc.use_local_subchannel_pool': 1, ...options,
	});
const limit = (options = {}) => ({ deadline: Date.now() + PATIENCE_MS, ...options });
const payload = size => ({ body: Buffer.alloc(size) });
const large = (fields = {}) => ({ response_size: 314159, payload: payload(271828), ...fields });
const output = (sizes, size = 0, fields = {}) =>
	({ response_parameters: sizes.map(s => ({ size: s })), payload: payload(size), ...fields });

// events.once() would reject when the stream says .error, too.
const next = (stream, event) => new Promise(done => stream.once(event, done));

async function unary(client, method, request, options, metadata = new grpc.Metadata()) {
	let call;
	const answered = new Promise((done, fail) => {
		call = client[method](request, metadata, limit(options), (e, a) => e ? fail(e) : done(a));
	});
	const heard = Promise.all([next(call, 'metadata'), next(call, 'status')]);
	const answer = await answered;
	const [initial, status] = await heard;
	return { answer, initial, trailing: status.metadata };
}

async function fails(promise, code) {
	const error = await promise.then(() => assert.fail(`no failure instead of ${code}`), e => e);
	assert.equal(error.code, code, error.message);
	return error;
}

const isLarge = answer => assert.deepEqual(answer.payload.body, Buffer.alloc(314159));

// All answers of a stream, and how it ended.
async function drain(stream) {
	const sizes = [];
	const seen = {};
	stream.on('metadata', m => { seen.initial = m; });
	stream.on('data', answer => sizes.push(answer.payload.body.length));
	stream.on('error', () => {}); // .status says the same
	const status = await next(stream, 'status');
	return { sizes, status, ...seen };
}

async function ended(stream, sizes) {
	const seen = await drain(stream);
	assert.equal(seen.status.code, grpc.status.OK, seen.status.details);
	assert.deepEqual(seen.sizes, sizes);
	return seen;
}

async function pingPong(client) {
	const stream = client.FullDuplexCall(limit());
	const status = next(stream, 'status');
	for (let i = 0; i < ANSWERS.length; i++) {
		stream.write(output([ANSWERS[i]], REQUESTS[i]));
		const answer = await next(stream, 'data');
		assert.equal(answer.payload.body.length, ANSWERS[i]);
	}
	stream.end();
	assert.equal((await status).code, grpc.status.OK);
}

async function echoStatus(client, code, message) {
	const response_status = { code, message };
	const error = await fails(unary(client, 'UnaryCall', { response_status }), code);
	assert.equal(error.details, message);
	const stream = client.FullDuplexCall(limit());
	stream.end({ response_status });
	const { status } = await drain(stream);
	assert.deepEqual([status.code, status.details], [code, message]);
}

// What grpc-js compresses, it compresses for a whole channel.
const compressing = () => stub({ 'grpc.default_compression_algorithm': 2 });

const cases = {
	async empty_unary(client) {
		assert.deepEqual((await unary(client, 'EmptyCall', {})).answer, {});
	},
	async large_unary(client) {
		isLarge((await unary(client, 'UnaryCall', large())).answer);
	},
	async cacheable_unary(client) {
		const { answer, initial } = await unary(client, 'CacheableUnaryCall', large());
		assert.deepEqual(initial.get('cache-control'), ['max-age=60, public']);
		assert.match(answer.payload.body.toString(), /^\d+$/);
	},
	async client_compressed_unary(client) {
		const gzip = compressing();
		const ask = (over, value) => unary(over, 'UnaryCall', large({ expect_compressed: { value } }));
		await fails(ask(client, true), grpc.status.INVALID_ARGUMENT);
		isLarge((await ask(gzip, true)).answer);
		isLarge((await ask(client, false)).answer);
		await fails(ask(gzip, false), grpc.status.INVALID_ARGUMENT);
		gzip.close();
	},
	async server_compressed_unary(client) {
		for (const value of [true, false])
			isLarge((await unary(client, 'UnaryCall', large({ response_compressed: { value } }))).answer);
	},
	async client_streaming(client) {
		const answer = await new Promise((done, fail) => {
			const stream = client.StreamingInputCall(limit(), (e, a) => e ? fail(e) : done(a));
			REQUESTS.forEach(size => stream.write({ payload: payload(size) }));
			stream.end();
		});
		assert.equal(answer.aggregated_payload_size, 74922);
	},
	async client_compressed_streaming(client) {
		const gzip = compressing();
		const ask = over => new Promise((done, fail) => {
			const stream = over.StreamingInputCall(limit(), (e, a) => e ? fail(e) : done(a));
			for (let i = 0; i < 2; i++)
				stream.write({ payload: payload(27182), expect_compressed: { value: true } });
			stream.end();
		});
		await fails(ask(client), grpc.status.INVALID_ARGUMENT);
		assert.equal((await ask(gzip)).aggregated_payload_size, 2 * 27182);
		gzip.close();
	},
	async server_streaming(client) {
		await ended(client.StreamingOutputCall(output(ANSWERS), limit()), ANSWERS);
	},
	async server_compressed_streaming(client) {
		const request = output([31415, 92653]);
		request.response_parameters[0].compressed = { value: true };
		request.response_parameters[1].compressed = { value: false };
		await ended(client.StreamingOutputCall(request, limit()), [31415, 92653]);
	},
	async slow_consumer(client) {
		const sizes = Array(1000).fill(1030);
		const stream = client.StreamingOutputCall(output(sizes), limit());
		await sleep(200); // nobody reads yet
		await ended(stream, sizes);
	},
	ping_pong: pingPong,
	async half_duplex(client) {
		const stream = client.HalfDuplexCall(limit());
		ANSWERS.forEach(size => stream.write(output([size])));
		stream.end();
		await ended(stream, ANSWERS);
	},
	async empty_stream(client) {
		const stream = client.FullDuplexCall(limit());
		stream.end();
		await ended(stream, []);
	},
	async cancel_after_begin(client) {
		await fails(new Promise((done, fail) => {
			const stream = client.StreamingInputCall(limit(), (e, a) => e ? fail(e) : done(a));
			stream.cancel();
		}), grpc.status.CANCELLED);
	},
	async cancel_after_first_response(client) {
		const stream = client.FullDuplexCall(limit());
		const status = next(stream, 'status');
		stream.on('error', () => {});
		stream.write(output([31415], 27182));
		await next(stream, 'data');
		stream.cancel();
		assert.equal((await status).code, grpc.status.CANCELLED);
	},
	async timeout_on_sleeping_server(client) {
		const stream = client.FullDuplexCall({ deadline: Date.now() + 50 });
		stream.write({ ...output([1], 27182), response_parameters: [{ size: 1, interval_us: 1e9 }] });
		assert.equal((await drain(stream)).status.code, grpc.status.DEADLINE_EXCEEDED);
	},
	async custom_metadata(client) {
		const value = 'test_initial_metadata_value';
		const bytes = Buffer.from('ababab', 'hex');
		const metadata = new grpc.Metadata();
		metadata.set(INITIAL, value);
		metadata.set(TRAILING, bytes);
		const one = await unary(client, 'UnaryCall', large(), {}, metadata);
		const stream = client.FullDuplexCall(metadata, limit());
		stream.end(output([314159], 271828));
		const many = await ended(stream, [314159]);
		assert.deepEqual(one.initial.get(INITIAL), [value]);
		assert.deepEqual(one.trailing.get(TRAILING), [bytes]);
		assert.deepEqual(many.initial.get(INITIAL), [value]);
		assert.deepEqual(many.status.metadata.get(TRAILING), [bytes]);
	},
	async status_code_and_message(client) {
		for (let code = 1; code <= 16; code++)
			await echoStatus(client, code, 'test status message');
	},
	async special_status_message(client) {
		await echoStatus(client, grpc.status.UNKNOWN,
			'\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \u{1f608}\t\n');
	},
	async unimplemented_method(client) {
		await fails(unary(client, 'UnimplementedCall', {}), grpc.status.UNIMPLEMENTED);
	},
	async unimplemented_service() {
		const other = stub({}, testing.UnimplementedService);
		await fails(unary(other, 'UnimplementedCall', {}), grpc.status.UNIMPLEMENTED);
		other.close();
	},
	async rpc_soak(client) {
		for (let i = 0; i < 50; i++)
			await cases.large_unary(client);
	},
	async channel_soak() {
		for (let i = 0; i < 20; i++) {
			const client = stub();
			await cases.large_unary(client);
			client.close();
		}
	},
	async concurrent_calls(client) {
		await Promise.all(Array.from({ length: 16 }, async () => {
			for (let i = 0; i < 3; i++) {
				await cases.large_unary(client);
				await pingPong(client);
			}
		}));
	},
};

const client = stub();
for (const [name, run] of Object.entries(cases)) {
	if (wanted.length > 0 && !wanted.includes(name))
		continue;
	const late = sleep(PATIENCE_MS + 5000, null, { ref: false })
		.then(() => { throw new Error('it hangs'); });
	try {
		await Promise.race([run(client), late]);
		console.log('ok', name);
	} catch (error) {
		console.log('FAILED', name, error.message);
		process.exitCode = 1;
	}
}
client.close();
// Deadlines that are not reached would keep it for as long as they are.
process.exit();
