// A spectrogram of a sound, low notes below: a picture of what is heard.

const SIZE = 256;

export async function spectrogram(canvas, uri) {
  const bytes = await (await fetch(uri)).arrayBuffer();
  const sound = await new OfflineAudioContext(1, 1, 8000).decodeAudioData(bytes);
  const samples = sound.getChannelData(0);
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(canvas.width, canvas.height);
  const columns = [];
  let loudest = 1e-9;
  for (let x = 0; x < canvas.width; x++) {
    const powers = spectrum(samples, Math.floor((x / canvas.width) * samples.length));
    loudest = Math.max(loudest, ...powers);
    columns.push(powers);
  }
  columns.forEach((powers, x) => {
    for (let y = 0; y < canvas.height; y++) {
      const bin = Math.floor(((canvas.height - 1 - y) / canvas.height) * (SIZE / 2));
      const level = Math.max(0, 1 + Math.log10(powers[bin] / loudest + 1e-9) / 6);
      const at = 4 * (y * canvas.width + x);
      pixels.data.set([255 * level ** 0.7, 255 * level ** 2, 96 + 96 * (1 - level), 255], at);
    }
  });
  context.putImageData(pixels, 0, 0);
}

function spectrum(samples, start) {
  const real = new Float32Array(SIZE);
  const imaginary = new Float32Array(SIZE);
  for (let i = 0; i < SIZE; i++) {
    real[i] = (samples[start + i - SIZE / 2] || 0) * (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / SIZE));
  }
  transform(real, imaginary);
  return Array.from({ length: SIZE / 2 }, (_, i) => real[i] ** 2 + imaginary[i] ** 2);
}

function transform(real, imaginary) {
  const n = real.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) [real[i], real[j]] = [real[j], real[i]];
  }
  for (let size = 2; size <= n; size *= 2) {
    for (let start = 0; start < n; start += size) {
      for (let k = 0; k < size / 2; k++) {
        const angle = (-2 * Math.PI * k) / size;
        const [a, b] = [start + k, start + k + size / 2];
        const re = real[b] * Math.cos(angle) - imaginary[b] * Math.sin(angle);
        const im = real[b] * Math.sin(angle) + imaginary[b] * Math.cos(angle);
        [real[b], imaginary[b]] = [real[a] - re, imaginary[a] - im];
        [real[a], imaginary[a]] = [real[a] + re, imaginary[a] + im];
      }
    }
  }
}
