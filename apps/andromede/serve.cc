#include "serve.h"

#include <pthread.h>
#include <signal.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <cerrno>
#include <future>
#include <optional>
#include <thread>
#include <utility>

#include "api/edge/apis.h"
#include "api/operator/front_end.h"
#include "api/s3/front_end.h"
#include "base/log.h"
#include "cannot_listen.h"
#include "cloud.h"
#include "crypto/aes_gcm.h"
#include "net/http.h"
#include "version.h"

namespace andromede::app {
namespace {

constexpr std::chrono::milliseconds kGrace{20'000};  // for requests in flight
// All of a stop, where each step's own limit was not enough; what follows takes some seconds more. systemd waits 90 s.
constexpr std::chrono::seconds kStopWithin{60};
constexpr std::chrono::milliseconds kMaxHeartbeat{10'000};

// One peer holds less than the half.
void limit_connections(net::ServerLimits& limits, std::size_t connections) {
  limits.connections = connections;
  limits.connections_per_peer = (connections - 1) / 2;
}

net::ListenOptions s3_listener(const Config& config, std::size_t connections, api::s3::FrontEnd& front_end,
                               std::function<void()> on_cut) {
  net::ListenOptions options;
  options.on_cut = std::move(on_cut);
  limit_connections(options.limits, connections);
  options.name = "s3";
  if (!config.tls_certificate.empty()) options.tls = net::TlsFiles{config.tls_certificate, config.tls_key};
  options.render_error = front_end.error_renderer();
  options.error_content_type = api::s3::FrontEnd::kErrorContentType;
  return options;
}

net::ListenOptions operator_listener(std::size_t connections, std::function<void()> on_cut) {
  net::ListenOptions options;
  options.on_cut = std::move(on_cut);
  options.name = "operator";
  // Tokens come in, and secrets that are shown once go out.
  options.confidential = true;
  limit_connections(options.limits, connections);
  return options;
}

// Blocks the signals that serve() waits for, in this thread and all that it starts.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  // A peer that went away is an error of write(), not the end of the process.
  ::signal(SIGPIPE, SIG_IGN);
  return signals;
}

void reload_certificates(net::Server& s3) {
  if (const Status reloaded = s3.reload_tls(); reloaded) {
    log_info("certificates read again");
  } else {
    log_error("the new certificates cannot be used, and those from before stay",
              {{"error", reloaded.error().describe()}});
  }
}

// What a reload does not take over, so that nobody waits for it.
void tell_what_waits_for_a_restart(const Config& config) {
  const auto file = read_config(config.file);
  if (!file) {
    log_warning("the configuration is not right any more: a restart would be refused",
                {{"error", file.error().describe()}});
    return;
  }
  std::string keys;
  for (const std::string& key : changed_keys(config, *file)) keys += (keys.empty() ? "" : ", ") + key;
  if (!keys.empty()) log_warning("changes of the configuration wait for a restart", {{"keys", keys}});
}

void run_until_signal(const Config& config, const sigset_t& signals, const net::Loops& loops, net::Server& s3) {
  while (true) {
    const timespec second{1, 0};
    const int number = ::sigtimedwait(&signals, nullptr, &second);
    if (number == SIGTERM || number == SIGINT) {
      log_info("stopping", {{"signal", number == SIGTERM ? "SIGTERM" : "SIGINT"}});
      return;
    }
    if (number == SIGHUP) {
      sd_notify(0, "RELOADING=1");
      if (!config.tls_certificate.empty()) reload_certificates(s3);
      tell_what_waits_for_a_restart(config);
      sd_notify(0, "READY=1");
    }
    if (loops.slowest_heartbeat() < kMaxHeartbeat) sd_notify(0, "WATCHDOG=1");
  }
}

template <typename Listening>
Result<Listening> naming(const Config& config, Listener listener, Result<Listening> listening) {
  if (listening) return listening;
  return tl::unexpected<Error>(cannot_listen(config, listener, listening.error()));
}

Result<std::unique_ptr<net::BoundAddress>> take_address(const Config& config, Listener listener,
                                                        const Endpoint& endpoint) {
  const std::string address = endpoint.address == "localhost" ? "127.0.0.1" : endpoint.address;
  return naming(config, listener, net::BoundAddress::take(address, endpoint.port));
}

Status check_certificate(const Config& config) {
  if (config.tls_certificate.empty()) return {};
  return naming<void>(config, Listener::kS3, net::check_tls({config.tls_certificate, config.tls_key}));
}

}  // namespace

Status serve(const Config& config) {
  const sigset_t signals = block_signals();
  set_log_level(config.log_level);
  std::optional<LogThread> log_thread(std::in_place);
  CHECK_OK(check_files(config));
  TRY(const auto consortium, consortium_of(config));
  // A start that cannot serve must change nothing. Nobody is let in before all is open.
  CHECK_OK(check_certificate(config));
  TRY(auto s3_address, take_address(config, Listener::kS3, config.s3));
  TRY(auto operator_address, take_address(config, Listener::kOperator, config.operators));
  TRY(const auto cloud, Cloud::open(config, consortium));

  api::s3::Options s3_options;
  s3_options.region = config.region;
  s3_options.access_log = config.access_log;
  s3_options.host_suffixes = config.virtual_hosts;
  api::s3::FrontEnd s3_front_end(cloud->objects(), cloud->directory(), cloud->clock(), cloud->random(),
                                 cloud->metrics(), s3_options);
  const api::edge::Apis apis(s3_front_end.handler());
  api::OperatorFrontEnd operator_front_end(
      {cloud->fleet(), cloud->store(), cloud->operators(), cloud->directory(), cloud->tenants(), cloud->consortium()},
      cloud->metrics(), cloud->clock(), cloud->random(),
      {kVersion, [&cloud] { return cloud->ready(); }, [&cloud] { return cloud->warnings(); }});
  CHECK_OK(cloud->fleet().start());
  cloud->objects().start_cleanup();

  net::Loops loops(config.event_loops, cloud->clock());
  const auto on_cut = [&cloud] { cloud->end_waits(); };
  // Before the operators' listener, which says that the cloud is ready.
  TRY(const auto s3, naming(config, Listener::kS3,
                            net::Server::start(
                                loops, std::move(s3_address),
                                s3_listener(config, cloud->descriptors().s3_connections, s3_front_end, on_cut),
                                [&apis](net::Exchange& exchange) { return apis.handle(exchange); }, cloud->metrics())));
  TRY(const auto operators,
      naming(
          config, Listener::kOperator,
          net::Server::start(
              loops, std::move(operator_address), operator_listener(cloud->descriptors().operator_connections, on_cut),
              [&operator_front_end](net::Exchange& exchange) { return operator_front_end.handle(exchange); },
              cloud->metrics())));
  const std::string_view aes_engine = crypto::aes_gcm().name;
  cloud->metrics()
      .gauge("andromede_aes_gcm_engine", "1 for the library that computes AES-256-GCM",
             {{"engine", std::string(aes_engine)}})
      .set(1);
  log_info("ready", {{"version", kVersion},
                     {"aes_gcm", aes_engine},
                     {"s3", config.s3.address + ":" + std::to_string(s3->port())},
                     {"tls", !config.tls_certificate.empty()},
                     {"operator", config.operators.address + ":" + std::to_string(operators->port())}});
  sd_notify(0, "READY=1");
  run_until_signal(config, signals, loops, *s3);
  sd_notify(0, "STOPPING=1");
  std::promise<Status> promise;
  auto stopped = promise.get_future();
  std::thread stopping([&] {
    {
      // Both at once: what they wait for adds up otherwise.
      const std::jthread stopping_operators([&operators] { operators->stop(kGrace); });
      s3->stop(kGrace);
    }
    promise.set_value(cloud->stop());
  });
  if (stopped.wait_for(kStopWithin) != std::future_status::ready) {
    // All that was acknowledged is durable, as if we were killed.
    log_error("the stop ends here: something hangs, and is left behind", {{"seconds", kStopWithin.count()}});
    log_thread.reset();
    cloud->unlock();
    ::_exit(0);
  }
  stopping.join();
  if (const Status ended = stopped.get(); ended) {
    log_info("stopped");
  } else {
    log_warning("stopped; threads that a drive keeps are left behind", {{"error", ended.error().describe()}});
  }
  return {};
}

}  // namespace andromede::app
