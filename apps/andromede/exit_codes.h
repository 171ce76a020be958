// What a script can rely on (`andromede --help` lists them).
#pragma once

namespace andromede::app {

enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,
  kExitUsage = 2,        // the command line or the configuration is wrong
  kExitRefused = 3,      // a policy forbids it; nothing was changed
  kExitUnreachable = 4,  // the server does not answer
  kExitDegraded = 5,     // status --check: the cloud is degraded
};

}  // namespace andromede::app
