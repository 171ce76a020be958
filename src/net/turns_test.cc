#include "net/turns.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <latch>
#include <mutex>
#include <string>
#include <vector>

#include "net/test_peer.h"

namespace andromede::net {
namespace {

TEST(Turns, EachFlowGetsOneAfterTheOtherHoweverManyOfItWait) {
  Turns turns;
  std::vector<Turns::Waiter> loud(4, {.flow = 1});
  std::vector<Turns::Waiter> quiet(2, {.flow = 2});
  EXPECT_EQ(turns.pop(), nullptr);
  for (std::size_t i = 0; i < 3; ++i) turns.push(loud[i]);
  EXPECT_EQ(turns.pop(), &loud[0]);
  for (Turns::Waiter& waiter : quiet) turns.push(waiter);
  turns.push(loud[3]);
  std::vector<Turns::Waiter*> order;
  while (Turns::Waiter* const waiter = turns.pop()) order.push_back(waiter);
  EXPECT_EQ(order, (std::vector<Turns::Waiter*>{&loud[1], &quiet[0], &loud[2], &quiet[1], &loud[3]}));
}

// Told by the target: "/quiet", "/loud", or "/hold", which keeps the loop busy until it is released.
struct Order {
  std::latch held{1};
  std::latch release{1};
  std::mutex mutex;
  std::vector<std::string> served;
};

Task<void> serve(Exchange& exchange, Order& order) {
  const std::string target = exchange.head().target;
  exchange.admit(target == "/quiet" ? "quiet" : "loud");
  if (target == "/hold") {
    order.held.count_down();
    order.release.wait();
  }
  {
    const std::lock_guard lock(order.mutex);
    order.served.push_back(target);
  }
  (void)co_await exchange.respond(response_head(200), "done");
}

TEST(Turns, AQuietTenantWaitsForNoMoreThanOneRequestOfALoudOne) {
  Order order;
  Metrics metrics;
  const SystemClock clock;
  Loops loops(1, clock);
  auto server = Server::start(loops, {}, [&](Exchange& e) { return serve(e, order); }, metrics);
  ASSERT_TRUE(server);
  std::vector<RawPeer> peers;
  constexpr std::size_t kLoud = 20;
  for (std::size_t i = 0; i < kLoud + 2; ++i) {
    peers.emplace_back((*server)->port());
    peers.back().send(get(i == kLoud ? "/quiet" : "/loud"));
    peers.back().read_response();
  }
  order.served.clear();
  peers.back().send(get("/hold"));
  order.held.wait();
  // All of it lies in the sockets when the loop looks at them again, the quiet one's last.
  for (std::size_t i = 0; i < kLoud; ++i) peers[i].send(get("/loud"));
  peers[kLoud].send(get("/quiet"));
  order.release.count_down();
  for (RawPeer& peer : peers) peer.read_response();
  const auto quiet = std::find(order.served.begin(), order.served.end(), "/quiet");
  EXPECT_LE(quiet - order.served.begin(), 4) << "the one at hand, the first after a look, one of the turns, and it";
}

struct Gathering {
  std::vector<std::coroutine_handle<>>& coroutines;
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> coroutine) const { coroutines.push_back(coroutine); }
  void await_resume() const noexcept {}
};

Task<void> finish_later(std::vector<std::coroutine_handle<>>& coroutines, Order& order, bool first) {
  co_await Gathering{coroutines};
  if (first) {
    order.held.count_down();
    order.release.wait();
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(1);
  while (std::chrono::steady_clock::now() < end) {
  }
  const std::lock_guard lock(order.mutex);
  order.served.emplace_back("finished");
}

TEST(Turns, ARequestDoesNotWaitForAllThatOtherThreadsHaveFinished) {
  Order order;
  Metrics metrics;
  const SystemClock clock;
  Loops loops(1, clock);
  auto server = Server::start(loops, {}, [&](Exchange& e) { return serve(e, order); }, metrics);
  ASSERT_TRUE(server);
  RawPeer peer((*server)->port());
  peer.send(get("/quiet"));
  peer.read_response();
  order.served.clear();
  std::vector<std::coroutine_handle<>> coroutines;
  TaskGroup tasks;
  for (int i = 0; i < 30; ++i) tasks.start(finish_later(coroutines, order, i == 0));
  loops.scheduler(0).post_all(coroutines);
  order.held.wait();
  peer.send(get("/quiet"));
  order.release.count_down();
  peer.read_response();
  tasks.join();
  const auto quiet = std::find(order.served.begin(), order.served.end(), "/quiet");
  EXPECT_LE(quiet - order.served.begin(), 2);
}

}  // namespace
}  // namespace andromede::net
