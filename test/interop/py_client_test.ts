/** The official Python client against our nsqd and lookupd. */
import { buildPythonClient } from "./build.ts";
import { testClient } from "./scenarios.ts";

testClient("pynsq", await buildPythonClient());
