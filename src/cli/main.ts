console.log("agentwire");
