/** The usual way to serve a model from Node: express, its JSON parser, zod, onnxruntime and a histogram. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import express from 'express';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { Histogram, Registry } from 'prom-client';
import { z } from 'zod';

const folder = process.env['MODEL_DIR'] as string;
const facts = JSON.parse(readFileSync(join(folder, 'facts.json'), 'utf8')) as { features: string[]; labels: string[] };
const Sample = z.strictObject(Object.fromEntries(facts.features.map((name) => [name, z.number()])));
const Body = z.strictObject({ samples: z.array(Sample).min(1) });

const session = await InferenceSession.create(join(folder, 'model.onnx'), { intraOpNumThreads: 1 });
const latency = new Histogram({ name: 'latency_seconds', help: 'Latency.', registers: [new Registry()] });
const output = session.outputNames[0] as string;
const app = express();
app.use(express.json({ limit: '8mb' }));
app.post('/predict', async (request, response) => {
  const end = latency.startTimer();
  const { samples } = Body.parse(request.body);
  const data = Float32Array.from(samples.flatMap((sample) => facts.features.map((name) => sample[name] as number)));
  const features = new Tensor('float32', data, [samples.length, facts.features.length]);
  const results = await session.run({ features });
  const ids = Array.from(results[output]?.data as BigInt64Array, Number);
  response.json({ class_id: ids, class_label: ids.map((id) => facts.labels[id]) });
  end();
});
app.listen(Number(process.env['PORT']), '127.0.0.1');
