// grpc.health.v1.Health/Check with a stock client: true when SERVING.
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const protos = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../proto');

export function load(file) {
	return grpc.loadPackageDefinition(loader.loadSync(file, {
		includeDirs: [protos], longs: String, enums: String, defaults: true, oneofs: true,
	}));
}

export function serving(socket, service = '') {
	const { Health } = load('grpc/health/v1/health.proto').grpc.health.v1;
	const client = new Health(`unix:${socket}`, grpc.credentials.createInsecure());
	return new Promise(done => {
		client.Check({ service }, { deadline: Date.now() + 10000 }, (error, answer) => {
			client.close();
			done(!error && answer.status === 'SERVING');
		});
	});
}
