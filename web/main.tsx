import { render } from "preact";
import { App } from "./app.js";
import { startClock } from "./clock.js";
import { followAddress } from "./route.js";
import { takeToken } from "./token.js";

takeToken();
followAddress();
startClock();
const place = document.getElementById("app");
if (place !== null) render(<App />, place);
