// Attacks on a daemon, one row each: what is done, and what must come of it.
// Run in a thread of its own, so that the well-behaved client next to it has a
// loop for itself.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';
import * as h2 from './rawh2.mjs';

// What a listener asks of every request.
const fields = workerData?.fields ?? {};
const CHECK = '/grpc.health.v1.Health/Check';
const CALL = '/executor.mcp.v1.McpService/Call';
const calm = { error: h2.ENHANCE_YOUR_CALM };
const idle = { ...calm, debug: 'too many idle frames' };
const broken = { ...calm, debug: 'too many streams are broken' };

const repeat = (count, make) => Buffer.concat(Array.from({ length: count }, (_, i) => make(i)));
const open = (stream, more, flags = 0) =>
	h2.frame(h2.HEADERS, h2.END_HEADERS | flags, stream, h2.request(CHECK, { ...fields, ...more }));
const bomb = Buffer.concat([h2.request(CHECK, fields), Buffer.alloc(10000, 0xbe)]);
const odd = i => 2 * i + 1;

const outcome = raw => ({
	error: raw.goaway?.error, debug: raw.goaway?.debug, closed: raw.isClosed,
	resets: raw.resets.size, ended: raw.ended.size,
});

async function greet(address, first = h2.hello) {
	const raw = new h2.Raw(address);
	await raw.write(first);
	await raw.until(() => raw.count[h2.SETTINGS] > 0);
	return raw;
}

// Everything at once, and then until the daemon has had enough.
const flood = (bytes, want, { read = true } = {}) => ({
	want,
	async run(address) {
		const raw = await greet(address);
		if (!read)
			raw.socket.pause();
		await raw.write(bytes());
		raw.socket.resume();
		await raw.closed;
		return outcome(raw);
	},
});

// Streams, a few at a time, so that they are never too many at once.
const drip = (bytes, want) => ({
	want,
	async run(address) {
		const raw = await greet(address);
		for (let i = 0; i < 5000 && !raw.isClosed; i += 50) {
			await raw.write(repeat(50, k => bytes(odd(i + k))));
			await raw.until(() => raw.resets.size === i + 50);
		}
		await raw.closed;
		return outcome(raw);
	},
});

// The same on many connections at once.
const many = (count, attack) => ({
	...attack,
	async run(address) {
		const all = await Promise.all(Array.from({ length: count }, () => attack.run(address)));
		return all.find(o => Object.entries(attack.want).some(([key, want]) => o[key] !== want)) ?? all[0];
	},
});

// A call of the tool that answers with 100 kB.
const json = Buffer.from(JSON.stringify({
	jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'large__text', arguments: { bytes: 100000 } },
}));
const ask = stream => Buffer.concat([
	h2.frame(h2.HEADERS, h2.END_HEADERS, stream, h2.request(CALL, fields)),
	h2.frame(h2.DATA, h2.END_STREAM, stream, h2.message(Buffer.concat([Buffer.from([0x0a, json.length]), json]))),
]);

export const attacks = {
	rapid_reset: flood(() => repeat(20000, i => Buffer.concat([
		open(odd(i)), h2.frame(h2.RST_STREAM, 0, odd(i), h2.u32(h2.CANCEL))])),
	{ ...calm, debug: 'too many streams are reset' }),

	// CVE-2025-8671: the daemon is made to reset, as fast as it does.
	made_to_reset_by_a_window: drip(id => Buffer.concat([
		open(id), h2.frame(h2.WINDOW_UPDATE, 0, id, h2.u32(0x7fffffff))]), broken),
	made_to_reset_by_a_length: drip(id => Buffer.concat([
		open(id, { 'content-length': '1' }), h2.frame(h2.DATA, 0, id, Buffer.from('xx'))]), broken),
	made_to_reset_by_trailers: drip(id => Buffer.concat([
		open(id), h2.frame(h2.HEADERS, h2.END_HEADERS, id, h2.block({ 'x-a': 'b' }))]), broken),
	made_to_reset_by_a_header: drip(id => open(id, { connection: 'close' }), broken),

	continuations: flood(() => Buffer.concat([
		h2.frame(h2.HEADERS, 0, 1, h2.request(CHECK, fields)),
		repeat(20000, () => h2.frame(h2.CONTINUATION, 0, 1, h2.field('x', 'y')))]), calm),
	large_continuations: flood(() => Buffer.concat([
		h2.frame(h2.HEADERS, 0, 1, h2.request(CHECK, fields)),
		repeat(200, () => h2.frame(h2.CONTINUATION, 0, 1, h2.field('x', 'y'.repeat(16000))))]), calm),
	// Each request's list is 40 MB when it is written out.
	header_bombs: flood(() => repeat(2000, i => h2.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, odd(i),
		i ? bomb : Buffer.concat([h2.request(CHECK, fields), h2.field('a', 'x'.repeat(4000), true)]))), broken),
	// Half of what is answered, and again and again.
	large_headers: {
		want: { ended: 1000, resets: 0 },
		async run(address) {
			const raw = await greet(address);
			for (let i = 0; i < 1000; i += 50)
				await raw.settled(repeat(50, k => open(odd(i + k), { a: 'x'.repeat(12000) }, h2.END_STREAM)));
			await raw.until(() => raw.ended.size === 1000);
			const o = outcome(raw);
			await raw.close();
			return o;
		},
	},

	settings: flood(() => repeat(20000, () => h2.frame(h2.SETTINGS, 0, 0)), { ...calm, debug: 'too many settings' }),
	settings_unread: flood(() => repeat(20000, () => h2.frame(h2.SETTINGS, 0, 0)), { closed: true }, { read: false }),
	pings: flood(() => repeat(20000, () => h2.frame(h2.PING, 0, 0, Buffer.alloc(8))), { ...calm, debug: 'too_many_pings' }),
	pings_unread: flood(() => repeat(20000, () => h2.frame(h2.PING, 0, 0, Buffer.alloc(8))), { closed: true }, { read: false }),
	ping_answers: flood(() => repeat(20000, () => h2.frame(h2.PING, h2.ACK, 0, Buffer.alloc(8))), idle),

	empty_data: flood(() => Buffer.concat([open(1), repeat(100000, () => h2.frame(h2.DATA, 0, 1))]), idle),
	padding_only: flood(() => Buffer.concat([
		open(1), repeat(100000, () => h2.frame(h2.DATA, h2.PADDED, 1, Buffer.from([1, 0])))]), idle),
	priorities: flood(() => repeat(100000, i => h2.frame(h2.PRIORITY, 0, odd(i), Buffer.from([0, 0, 0, 0, 16]))), idle),
	unknown_frames: flood(() => repeat(100000, () => h2.frame(h2.UNKNOWN, 0, 0, Buffer.from('?'))), idle),
	window_updates: flood(() => repeat(100000, () => h2.frame(h2.WINDOW_UPDATE, 0, 0, h2.u32(1))), idle),
	// Each walks over all open streams.
	window_sizes: flood(() => Buffer.concat([
		repeat(200, i => open(odd(i))),
		repeat(2000, i => h2.frame(h2.SETTINGS, 0, 0, h2.setting(h2.INITIAL_WINDOW_SIZE, i % 2 ? 0 : 1 << 20)))]),
	{ ...calm, debug: 'too many settings' }),
	window_overflow: flood(() => h2.frame(h2.WINDOW_UPDATE, 0, 0, h2.u32(0x7fffffff)), { error: h2.FLOW_CONTROL_ERROR }),

	more_streams_than_allowed: flood(() => repeat(1000, i => open(odd(i))), { error: h2.PROTOCOL_ERROR }),
	http_1: {
		want: { error: h2.PROTOCOL_ERROR, closed: true },
		async run(address) {
			const raw = new h2.Raw(address);
			await raw.write(Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'));
			await raw.closed;
			return outcome(raw);
		},
	},

	// What is announced is not reserved: 256 messages of 4 MB.
	announced_and_not_sent: {
		want: { closed: false, resets: 0 },
		async run(address) {
			const raw = await greet(address);
			await raw.write(repeat(256, i => Buffer.concat([
				h2.frame(h2.HEADERS, h2.END_HEADERS, odd(i), h2.request(CALL, fields)),
				h2.frame(h2.DATA, 0, odd(i), Buffer.concat([Buffer.from([0]), h2.u32(4000000), Buffer.from('x')])),
			])));
			await raw.settled();
			const o = outcome(raw);
			await raw.close();
			return o;
		},
	},
	// Answers of 25 MB are asked for and not taken.
	no_window: {
		want: { closed: false, resets: 0, ended: 0 },
		async run(address) {
			const raw = await greet(address, Buffer.concat([
				h2.preface, h2.frame(h2.SETTINGS, 0, 0, h2.setting(h2.INITIAL_WINDOW_SIZE, 0)), h2.frame(h2.SETTINGS, h2.ACK, 0)]));
			await raw.write(repeat(250, i => ask(odd(i))));
			await raw.until(() => raw.count[h2.HEADERS] === 250);
			await raw.settled();
			const o = outcome(raw);
			await raw.close();
			return o;
		},
	},
	nothing_is_read: {
		want: { closed: false },
		async run(address) {
			const raw = await greet(address);
			raw.socket.pause();
			await raw.write(h2.frame(h2.WINDOW_UPDATE, 0, 0, h2.u32(1 << 30)), repeat(250, i => ask(odd(i))));
			await new Promise(done => setTimeout(done, 2000));
			const o = outcome(raw);
			await raw.close();
			return o;
		},
	},

	half_a_preface: many(50, {
		want: { error: h2.SETTINGS_TIMEOUT, closed: true },
		async run(address) {
			const raw = new h2.Raw(address);
			await raw.write(h2.preface.subarray(0, 10));
			await raw.closed;
			return outcome(raw);
		},
	}),
	no_settings: many(50, {
		want: { error: h2.SETTINGS_TIMEOUT, closed: true },
		async run(address) {
			const raw = new h2.Raw(address);
			await raw.write(h2.preface);
			await raw.closed;
			return outcome(raw);
		},
	}),
	half_a_header_block: many(50, {
		want: { error: h2.PROTOCOL_ERROR, closed: true },
		async run(address) {
			const raw = await greet(address);
			await raw.write(h2.frame(h2.HEADERS, 0, 1, h2.request(CHECK, fields)));
			await raw.closed;
			return outcome(raw);
		},
	}),
	a_header_block_byte_by_byte: many(50, {
		want: { closed: true },
		async run(address) {
			const raw = await greet(address);
			const bytes = h2.frame(h2.HEADERS, h2.END_HEADERS, 1, h2.request(CHECK, fields));
			for (let i = 0; i < bytes.length && !raw.isClosed; i++) {
				await raw.write(bytes.subarray(i, i + 1));
				await new Promise(done => setTimeout(done, 100));
			}
			await raw.closed;
			return outcome(raw);
		},
	}),
};

// Its outcome.  where: the address, and the fields that every request there
// must have.
export function attack(name, { address, fields }) {
	return new Promise((done, fail) => {
		const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { name, address, fields } });
		worker.on('message', done);
		worker.on('error', fail);
	});
}

if (!isMainThread)
	parentPort.postMessage(await attacks[workerData.name].run(workerData.address));
