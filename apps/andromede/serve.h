// `andromede serve`: the listeners over a Cloud, until a signal.
#pragma once

#include "base/result.h"
#include "config.h"

namespace andromede::app {

// Runs until SIGTERM or SIGINT, then stops gracefully; SIGHUP reads the TLS certificate again. Tells systemd when it is
// ready, alive and stopping. To be called from the main thread before any other thread exists.
Status serve(const Config& config);

}  // namespace andromede::app
