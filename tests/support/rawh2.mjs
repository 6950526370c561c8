// HTTP/2 by hand: what a hostile or a broken client writes, and what it gets.
import net from 'node:net';

export const DATA = 0, HEADERS = 1, PRIORITY = 2, RST_STREAM = 3, SETTINGS = 4, PUSH_PROMISE = 5,
	PING = 6, GOAWAY = 7, WINDOW_UPDATE = 8, CONTINUATION = 9, UNKNOWN = 0xbe;
export const ACK = 1, END_STREAM = 1, END_HEADERS = 4, PADDED = 8;
export const NO_ERROR = 0, PROTOCOL_ERROR = 1, FLOW_CONTROL_ERROR = 3, SETTINGS_TIMEOUT = 4,
	STREAM_CLOSED = 5, REFUSED_STREAM = 7, CANCEL = 8, ENHANCE_YOUR_CALM = 11;
export const INITIAL_WINDOW_SIZE = 4;

const none = Buffer.alloc(0);

export function frame(type, flags, stream, body = none) {
	const head = Buffer.alloc(9);
	head.writeUIntBE(body.length, 0, 3);
	head[3] = type;
	head[4] = flags;
	head.writeUInt32BE(stream, 5);
	return Buffer.concat([head, body]);
}

export function u32(n) {
	const b = Buffer.alloc(4);
	b.writeUInt32BE(n);
	return b;
}

export function setting(id, value) {
	return Buffer.concat([Buffer.from([0, id]), u32(value)]);
}

// RFC 7541 section 5.1, behind a first byte of flags.
function integer(flags, bits, n) {
	const most = (1 << bits) - 1;
	if (n < most)
		return Buffer.from([flags | n]);
	const bytes = [flags | most];
	for (n -= most; n >= 128; n >>= 7)
		bytes.push(n % 128 + 128);
	bytes.push(n);
	return Buffer.from(bytes);
}

// A literal, without Huffman; indexed takes a place in the table from now on.
export function field(name, value, indexed = false) {
	const [n, v] = [Buffer.from(name, 'latin1'), Buffer.from(value, 'latin1')];
	return Buffer.concat([Buffer.from([indexed ? 0x40 : 0]), integer(0, 7, n.length), n, integer(0, 7, v.length), v]);
}

export const block = fields => Buffer.concat(Object.entries(fields).map(([n, v]) => field(n, v)));

export const request = (path, more = {}) => block({
	':method': 'POST', ':scheme': 'http', ':path': path, ':authority': 'localhost',
	'content-type': 'application/grpc', te: 'trailers', ...more,
});

export const message = body => Buffer.concat([Buffer.from([0]), u32(body.length), body]);

export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
export const hello = Buffer.concat([preface, frame(SETTINGS, 0, 0), frame(SETTINGS, ACK, 0)]);

// One connection to address, as of net.connect().
export class Raw {
	constructor(address) {
		this.resets = new Map(); // by stream, its error
		this.ended = new Set(); // streams with END_STREAM
		this.count = new Array(256).fill(0); // frames by type
		this.goaway = null; // the last one: {error, last, debug}
		this.rest = none;
		this.waiting = [];
		this.isClosed = false;
		this.socket = net.connect(address);
		this.socket.on('error', () => {}); // EPIPE, ECONNRESET: closed follows
		this.socket.on('data', bytes => this.take(bytes));
		this.closed = new Promise(done => this.socket.on('close', () => {
			this.isClosed = true;
			this.look();
			done();
		}));
	}

	take(bytes) {
		let b = this.rest.length ? Buffer.concat([this.rest, bytes]) : bytes;
		while (b.length >= 9 && b.length >= 9 + b.readUIntBE(0, 3)) {
			const length = b.readUIntBE(0, 3);
			this.hear(b[3], b[4], b.readUInt32BE(5) & 0x7fffffff, b.subarray(9, 9 + length));
			b = b.subarray(9 + length);
		}
		this.rest = b;
		this.look();
	}

	hear(type, flags, stream, body) {
		this.count[type]++;
		if (type === RST_STREAM)
			this.resets.set(stream, body.readUInt32BE(0));
		else if (type === GOAWAY)
			this.goaway = {
				error: body.readUInt32BE(4), last: body.readUInt32BE(0), debug: body.subarray(8).toString(),
			};
		if ((type === DATA || type === HEADERS) && flags & END_STREAM)
			this.ended.add(stream);
		this.onFrame?.(type, flags, stream, body);
	}

	look() {
		this.waiting = this.waiting.filter(({ test, done }) => !(this.isClosed || test()) || done(!this.isClosed));
	}

	// Until test() holds (true), or the connection is closed (false).
	until(test) {
		return new Promise(done => {
			this.waiting.push({ test, done });
			this.look();
		});
	}

	// Until the kernel has taken it, or there is nobody to take it any more.
	write(...bytes) {
		return Promise.race([this.closed, new Promise(done => this.socket.write(Buffer.concat(bytes), () => done()))]);
	}

	// Write, until all of it was read: the answer to a PING.  In one piece:
	// when a write fails, node does not read any more what came before.
	async settled(bytes = none) {
		const before = this.count[PING];
		await this.write(bytes, frame(PING, 0, 0, Buffer.from('settled?')));
		return this.until(() => this.count[PING] > before);
	}

	close() {
		this.socket.destroy();
		return this.closed;
	}
}
