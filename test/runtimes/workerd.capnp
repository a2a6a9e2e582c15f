# The example as an edge worker on workerd, which is where such workers are deployed.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "worker", worker = .worker),
    # by default workers reach no addresses of this machine; the control plane has one
    (name = "internet", network = (allow = ["public", "private", "local"])),
  ],
  # the runner says at which address
  sockets = [(name = "http", http = (), service = "worker")],
);

const worker :Workerd.Worker = (
  modules = [(name = "edge.js", esModule = embed "edge/edge.js")],
  compatibilityDate = "2026-01-01",
  bindings = [
    (name = "CODER_AGENT_URL", fromEnvironment = "CODER_AGENT_URL"),
    (name = "CODER_AGENT_TOKEN", fromEnvironment = "CODER_AGENT_TOKEN"),
  ],
);
