/** What lives beside an agent on its machine. For Node. */
export { LineSplitter } from "../client/index-node.js";
