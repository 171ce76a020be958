// Graceful stop.
#include <gtest/gtest.h>

#include <thread>

#include "base/pool.h"
#include "net/http_client.h"
#include "net/test_peer.h"

namespace andromede::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

milliseconds time_to_stop(Server& server, milliseconds grace) {
  const auto began = std::chrono::steady_clock::now();
  server.stop(grace);
  return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - began);
}

bool refuses_connections(std::uint16_t port) {
  const auto client = Client::make("127.0.0.1", port, {}, kPatience);
  return client && !(*client)->request("GET", "/", {}, {});
}

TEST(ServerStop, ClosesIdleConnectionsAtOnce) {
  TestServer server;
  RawPeer fresh = server.peer();
  RawPeer used = server.peer();
  used.send(get("/"));
  used.read_response();
  EXPECT_LT(time_to_stop(server.server(), seconds(300)), kPatience);
  EXPECT_EQ(fresh.read_all(), "");
  EXPECT_EQ(used.read_all(), "");
}

TEST(ServerStop, ClosesParkedConnectionsAtOnce) {
  TestServer server;
  RawPeer parked = server.peer();
  server.pass(milliseconds(1'200));
  EXPECT_FALSE(parked.readable_within(milliseconds(0)));
  EXPECT_LT(time_to_stop(server.server(), seconds(300)), kPatience);
  EXPECT_EQ(parked.read_all(), "");
}

TEST(ServerStop, LetsRequestsFinishAndSaysGoodbye) {
  TestServer server({}, 1);
  RawPeer peer = server.peer();
  peer.send(get("/gate"));
  ASSERT_TRUE(eventually([&] { return server.state().at_gate == 1; }));
  RawPeer idle = server.peer();
  idle.send(get("/"));
  idle.read_response();
  std::thread stopper([&] { server.server().stop(kPatience); });
  // The loop of both has been told.
  EXPECT_TRUE(idle.closed_within(kPatience));
  EXPECT_TRUE(refuses_connections(server.port()));
  EXPECT_FALSE(peer.readable_within(milliseconds(0)));
  server.state().gate.set(true);
  const std::string all = peer.read_all();
  EXPECT_NE(all.find("Connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(all.ends_with("opened"));
  stopper.join();
}

TEST(ServerStop, IsHeardByAClientThatIsStillSending) {
  TestServer server;
  RawPeer peer = server.peer();
  peer.send("POST /gate HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return server.state().at_gate == 1; }));
  std::thread stopper([&] { server.server().stop(kPatience); });
  ASSERT_TRUE(eventually([&] { return refuses_connections(server.port()); }));
  server.state().gate.set(true);
  EXPECT_TRUE(peer.send(std::string(8 << 20, 'x')));
  peer.close_write();
  EXPECT_TRUE(peer.read_all().ends_with("opened"));
  stopper.join();
}

TEST(ServerStop, CutsWhatOutlastsItsGrace) {
  TestServer server;
  RawPeer not_reading(server.port(), 4096);
  not_reading.send(get("/stream"));
  RawPeer half_sent = server.peer();
  half_sent.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
  ASSERT_TRUE(eventually([&] { return server.state().requests == 2; }));
  const milliseconds took = time_to_stop(server.server(), milliseconds(300));
  EXPECT_GE(took, milliseconds(250));
  EXPECT_LT(took, kPatience);
  EXPECT_EQ(server.state().body_errors, 1);
  EXPECT_EQ(server.state().write_errors, 1);
}

Task<void> work_until_stopped(Exchange& exchange, ThreadPool& pool, std::atomic<int>& working) {
  const auto work = [&working, stop = exchange.stop_token()]() -> Result<int> {
    ++working;
    while (!stop.stop_requested()) ::usleep(1'000);
    return 1;
  };
  (void)co_await pool.run(work);
  (void)co_await exchange.respond(response_head(200), "done");
}

TEST(ServerStop, HandlersThatOnlyWorkAreToldThatNobodyWaits) {
  const SystemClock clock;
  Loops loops(2, clock);
  Metrics metrics;
  ThreadPool pool("test", 1, 10);
  std::atomic<int> working{0};
  const auto server = Server::start(
      loops, {}, [&](Exchange& exchange) { return work_until_stopped(exchange, pool, working); }, metrics);
  ASSERT_TRUE(server);
  RawPeer peer((*server)->port());
  peer.send(get("/"));
  ASSERT_TRUE(eventually([&] { return working == 1; }));
  const milliseconds took = time_to_stop(**server, milliseconds(300));
  EXPECT_GE(took, milliseconds(250));
  EXPECT_LT(took, kPatience);
  EXPECT_EQ(peer.read_all(), "");
}

Task<void> wait_for_a_drive(Exchange& exchange, OneShot<bool>& drive, std::atomic<bool>& waiting) {
  waiting = true;
  co_await drive;
  (void)co_await exchange.respond(response_head(200), "done");
}

TEST(ServerStop, WhoEndsWhatHandlersWaitForIsToldOfTheCut) {
  const SystemClock clock;
  Loops loops(2, clock);
  Metrics metrics;
  OneShot<bool> drive;
  std::atomic<bool> waiting{false};
  ListenOptions options;
  options.on_cut = [&] { drive.set(false); };
  const auto server = Server::start(
      loops, std::move(options), [&](Exchange& exchange) { return wait_for_a_drive(exchange, drive, waiting); },
      metrics);
  ASSERT_TRUE(server);
  RawPeer peer((*server)->port());
  peer.send(get("/"));
  ASSERT_TRUE(eventually([&] { return waiting.load(); }));
  EXPECT_LT(time_to_stop(**server, milliseconds(10)), kPatience);
  EXPECT_EQ(peer.read_all(), "");
}

TEST(ServerStop, RefusesNewConnections) {
  TestServer server;
  const std::uint16_t port = server.port();
  server.server().stop(milliseconds(100));
  const auto client = Client::make("127.0.0.1", port, {}, kPatience);
  ASSERT_TRUE(client);
  EXPECT_TRUE((*client)->request("GET", "/", {}, {}).error() == Errc::kIo);
}

TEST(ServerStop, StopsWhileItWaitsForRoom) {
  ListenOptions options;
  options.limits.connections = 1;
  TestServer server(std::move(options));
  RawPeer only = server.peer();
  only.send(get("/"));
  only.read_response();
  RawPeer waiting = server.peer();
  ASSERT_TRUE(eventually([&] { return server.accepted() == 2; }));
  EXPECT_LT(time_to_stop(server.server(), seconds(300)), kPatience);
}

TEST(ServerStop, NoRequestIsAnsweredByHalfUnderLoad) {
  TestServer server;
  const std::uint16_t port = server.port();
  std::atomic<int> answered{0};
  std::atomic<int> broken{0};
  std::vector<std::thread> clients;
  const std::string body(50'000, 'b');
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&] {
      auto client = Client::make("127.0.0.1", port, {}, kPatience);
      for (;;) {
        const auto response = (*client)->request("PUT", "/echo", {}, body);
        if (!response) {
          // Refused or closed between requests; anything else would be a request that was cut.
          if (!(response.error() == Errc::kIo)) ++broken;
          return;
        }
        if (response->status != 200 || response->body != body) ++broken;
        ++answered;
      }
    });
  }
  ASSERT_TRUE(eventually([&] { return answered > 500; }));
  server.server().stop(kPatience);
  for (auto& client : clients) client.join();
  EXPECT_EQ(broken, 0);
  // Every request that reached a handler was answered whole.
  EXPECT_EQ(server.state().requests, answered);
  EXPECT_EQ(server.state().write_errors, 0);
  EXPECT_EQ(server.state().body_errors, 0);
}

}  // namespace
}  // namespace andromede::net
