import { speak } from "./program.mjs";

globalThis.onmessage = ({ data: { target, label } }) => {
  speak(target, label).then(
    (answer) => postMessage({ answer }),
    (error) => postMessage({ error: String(error) }),
  );
};
