#include <gtest/gtest.h>

#include "net/http_client.h"
#include "net/test_peer.h"

namespace andromede::net {
namespace {

using std::chrono::milliseconds;

TEST(Server, AnswersWithItsOwnFraming) {
  TestServer server;
  RawPeer peer = server.peer();
  peer.send(get("/"));
  const std::string response = peer.read_response();
  EXPECT_TRUE(response.starts_with("HTTP/1.1 200 OK\r\nDate: ")) << response;
  EXPECT_TRUE(response.ends_with(" GMT\r\nContent-Length: 5\r\n\r\nhello")) << response;
}

TEST(Server, TellsWhoAsks) {
  TestServer server;
  RawPeer peer = server.peer();
  peer.send(get("/who"));
  EXPECT_TRUE(peer.read_response().ends_with("127.0.0.1 plain"));
}

}  // namespace
}  // namespace andromede::net
