// What is installed is enough, wherever it lies: programs that work, and the
// contract for stubs in any language.
import fs from 'node:fs';
import path from 'node:path';
import { assert, bin, same, scenarios } from '../support/harness.mjs';

const build = path.dirname(bin);

async function run(hub, command, args, options) {
	const r = await hub.run(command, args, options);
	assert(r.code === 0, `${command} ${args.join(' ')}: ${r.code}\n${r.out}${r.err}`);
	return r.out;
}

// Installed, then moved: nothing may remember the first place.
async function install(hub) {
	const first = path.join(hub.root, 'first');
	const prefix = path.join(hub.root, 'moved here');
	await run(hub, 'cmake', ['--install', build, '--prefix', first]);
	fs.renameSync(first, prefix);
	const env = { ...hub.env, PKG_CONFIG_PATH: path.join(prefix, 'share/pkgconfig') };
	const ask = async (...args) => (await run(hub, 'pkg-config', [...args, 'executor'], { env }))
		.trim().replaceAll('\\ ', ' ');
	return { prefix, ask };
}

const files = dir => fs.readdirSync(dir, { recursive: true, withFileTypes: true })
	.filter(e => e.isFile()).map(e => path.relative(dir, path.join(e.parentPath, e.name))).sort();

await scenarios({
	async a_stock_toolchain_finds_the_contract(hub) {
		const { ask } = await install(hub);
		const protodir = await ask('--variable=protodir');
		const descriptor = await ask('--variable=descriptor');
		assert(/^\d+\.\d+\.\d+$/.test(await ask('--modversion')), 'a version');
		const protos = files(protodir);
		same(protos.filter(f => !f.endsWith('.proto')), [], 'nothing else is in protodir');
		for (const wanted of ['executor/mcp/v1/mcp.proto', 'executor/admin/v1/admin.proto', 'grpc/health/v1/health.proto'])
			assert(protos.includes(wanted), `${wanted} in ${protos}`);

		// Stubs from the .proto files alone, and from the descriptor set alone.
		const out = path.join(hub.root, 'stubs');
		for (const [from, ...input] of [['files', '-I', protodir], ['set', `--descriptor_set_in=${descriptor}`]]) {
			const to = path.join(out, from);
			fs.mkdirSync(to, { recursive: true });
			await run(hub, 'protoc', [...input, `--cpp_out=${to}`, `--python_out=${to}`, ...protos]);
			same(files(to).filter(f => f.endsWith('_pb2.py')).length, protos.length, `stubs from ${from}`);
		}
		same(files(path.join(out, 'files')), files(path.join(out, 'set')), 'both make the same');
		// But for a comment: a set spells out the default name of a field in JSON.
		const header = (from, f) => fs.readFileSync(path.join(out, from, f), 'utf8').replace(/ \[json_name = "\w+"\]/g, '');
		for (const f of files(path.join(out, 'files')).filter(f => f.endsWith('.pb.h')))
			assert(header('files', f) === header('set', f), `${f} is the same from both`);
		const text = await run(hub, '/usr/bin/python3', ['-c',
			'from executor.mcp.v1 import mcp_pb2 as m; print(m.CallRequest(json=b"x").SerializeToString().hex())'],
		{ cwd: path.join(out, 'set') });
		same(text.trim(), '0a0178', 'a message of them');
	},

	async the_programs_find_each_other_and_their_module(hub) {
		const { prefix } = await install(hub);
		const executor = path.join(prefix, 'bin/executor');
		// A secret is sealed by the module that is loaded from there.
		await run(hub, executor, ['source', 'add', 'a', '--env', 'SECRET', '--', 'true'], { env: { ...hub.env, SECRET: 'x' } });
		const status = JSON.parse(await run(hub, executor, ['status', '--output', 'json']));
		const program = fs.readlinkSync(`/proc/${status.pid}/exe`);
		same(program, fs.realpathSync(path.join(prefix, 'bin/executord')), 'the daemon of this installation');
		await run(hub, executor, ['daemon', 'stop']);
	},
});
