// Why a listener did not start, and what to do about it, in the language of the environment.
#pragma once

#include "base/result.h"
#include "config.h"

namespace andromede::app {

enum class Listener : std::uint8_t { kS3, kOperator };

// `error`: of net::Server::start, for that listener of `config`. kInvalidArgument where the configuration names what
// can never be listened with; kIo where the machine does not let it be now.
Error cannot_listen(const Config& config, Listener listener, const Error& error);

}  // namespace andromede::app
