/** The usual way to serve the same model with the same packages: the yardstick of serving-throughput.ts. */
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import express from 'express';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { Histogram, Registry } from 'prom-client';
import { z } from 'zod';

const LABELS = ['setosa', 'versicolor', 'virginica'];
const Body = z.strictObject({
  samples: z
    .array(
      z.strictObject({
        sepal_length: z.number(),
        sepal_width: z.number(),
        petal_length: z.number(),
        petal_width: z.number(),
      }),
    )
    .min(1),
});

const session = await InferenceSession.create(join(process.env['MODEL_DIR'] as string, 'model.onnx'), {
  intraOpNumThreads: 1,
});
const latency = new Histogram({ name: 'latency_seconds', help: 'Latency.', registers: [new Registry()] });
const app = express();
app.use(express.json());
app.post('/predict', async (request, response) => {
  const end = latency.startTimer();
  const { samples } = Body.parse(request.body);
  const data = Float32Array.from(
    samples.flatMap((s) => [s.sepal_length, s.sepal_width, s.petal_length, s.petal_width]),
  );
  const { label } = await session.run({ features: new Tensor('float32', data, [samples.length, 4]) });
  const ids = Array.from(label?.data as BigInt64Array, Number);
  response.json({ class_id: ids, class_label: ids.map((id) => LABELS[id]) });
  end();
});
const server = app.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ message: 'listening', port: (server.address() as AddressInfo).port }));
  console.log(JSON.stringify({ message: 'ready' }));
});
