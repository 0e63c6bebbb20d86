/** The official Go client against our nsqd and lookupd. */
import { buildGoClient } from "./build.ts";
import { testClient } from "./scenarios.ts";

testClient("go-nsq", await buildGoClient());
