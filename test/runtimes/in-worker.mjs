/**
 * @param {Worker} worker
 * @param {{ url: string, token: string }} target
 * @param {string} label
 */
export function askWorker(worker, target, label) {
  return new Promise((resolve, reject) => {
    worker.onerror = (event) => reject(new Error(event.message));
    worker.onmessage = ({ data: { answer, error } }) => {
      worker.terminate();
      error === undefined ? resolve(answer) : reject(new Error(error));
    };
    worker.postMessage({ target, label });
  });
}
