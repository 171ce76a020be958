// Accounts, access keys and operators over the wire.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "api/operator/front_end.h"
#include "api/operator/test_operators.h"
#include "fleet/volumes/test_fleet_cloud.h"
#include "net/http_client.h"

namespace andromede::api {
namespace {

using nlohmann::json;

class AccountsTest : public testing::Test {
 protected:
  AccountsTest() {
    front_end_ =
        std::make_unique<OperatorFrontEnd>(control_.services(*cloud_.fleet, *cloud_.meta), cloud_.metrics, cloud_.clock,
                                           cloud_.random, OperatorOptions{"1.2.3", [] { return Status{}; }});
    net::ListenOptions options;
    options.confidential = true;
    auto server = net::Server::start(
        loops_, options, [this](net::Exchange& exchange) { return front_end_->handle(exchange); }, cloud_.metrics);
    EXPECT_TRUE(server) << server.error().describe();
    server_ = *std::move(server);
    client_ = *net::Client::make("127.0.0.1", server_->port(), "", std::chrono::minutes(2));
    token_ = control_.token;
  }
  ~AccountsTest() override { server_->stop(std::chrono::seconds(1)); }

  // The answer's body, with its status under "status_code".
  json call(const std::string& method, const std::string& target, const json& body = nullptr) {
    net::Headers headers;
    headers.add("Authorization", "Bearer " + token_);
    const auto response = client_->request(method, target, std::move(headers), body.is_null() ? "" : body.dump());
    EXPECT_TRUE(response) << response.error().describe();
    json answer = json::parse(response->body, nullptr, false);
    EXPECT_TRUE(answer.is_object()) << response->body;
    answer["status_code"] = response->status;
    return answer;
  }
  json last_event() { return call("GET", "/v1/journal?limit=1")["entries"][0]["event"]; }

  fleet::FleetCloud cloud_{{1, 1, 1, 1, 1}};
  TestOperators control_{*cloud_.meta, cloud_.clock, cloud_.random};
  const SystemClock clock_;
  net::Loops loops_{1, clock_};
  std::unique_ptr<OperatorFrontEnd> front_end_;
  std::unique_ptr<net::Server> server_;
  std::unique_ptr<net::Client> client_;
  std::string token_;
};

TEST_F(AccountsTest, AnAccountsLife) {
  const json made = call("POST", "/v1/accounts", {{"name", "Lyon"}});
  ASSERT_EQ(made["status_code"], 201) << made;
  const std::string account = made["account"];
  EXPECT_EQ(account.size(), 12U);
  EXPECT_EQ(call("POST", "/v1/accounts", {{"name", "L"}, {"account", account}})["status_code"], 409);
  const json event = last_event();
  EXPECT_EQ(event["eventName"], "CreateAccount");
  EXPECT_EQ(event["userIdentity"]["userName"], "claire");
  EXPECT_EQ(event["sourceIPAddress"], "127.0.0.1");
  EXPECT_EQ(event["requestID"].get<std::string>().size(), 16U);

  const json key = call("POST", "/v1/accounts/" + account + "/keys", json::object());
  ASSERT_EQ(key["status_code"], 201) << key;
  const std::string id = key["access_key_id"];
  const std::string secret = key["secret_access_key"];
  EXPECT_EQ(secret.size(), 40U);
  ASSERT_NE(control_.directory->find(id), nullptr);
  EXPECT_EQ(control_.directory->find(id)->secret.view(), secret);
  EXPECT_EQ(last_event().dump().find(secret), std::string::npos);

  EXPECT_EQ(call("POST", "/v1/keys/" + id + "/disable", json::object())["status"], "disabled");
  EXPECT_EQ(control_.directory->find(id), nullptr);
  const json listed = call("GET", "/v1/accounts/" + account + "/keys");
  EXPECT_EQ(listed["keys"][0]["status"], "disabled");
  EXPECT_EQ(listed.dump().find(secret), std::string::npos);
  EXPECT_EQ(call("POST", "/v1/keys/" + id + "/enable", json::object())["status"], "active");
  EXPECT_EQ(call("DELETE", "/v1/keys/" + id)["deleted"], id);
  EXPECT_EQ(call("DELETE", "/v1/keys/" + id)["status_code"], 404);

  EXPECT_EQ(call("DELETE", "/v1/accounts/" + account)["closed"], account);
  EXPECT_EQ(call("DELETE", "/v1/accounts/" + account)["status_code"], 422);
  EXPECT_EQ(call("POST", "/v1/accounts/" + account + "/keys", json::object())["status_code"], 422);
}

TEST_F(AccountsTest, ListsPageByPage) {
  for (int i = 1; i <= 3; ++i) {
    call("POST", "/v1/accounts", {{"name", "A"}, {"account", "00000000000" + std::to_string(i)}});
  }
  const json first = call("GET", "/v1/accounts?limit=2");
  EXPECT_EQ(first["accounts"].size(), 2U);
  ASSERT_EQ(first["next"], "000000000002");
  const json second = call("GET", "/v1/accounts?limit=2&after=000000000002");
  ASSERT_EQ(second["accounts"].size(), 1U);
  EXPECT_EQ(second["accounts"][0]["account"], "000000000003");
  EXPECT_TRUE(second["next"].is_null());
  EXPECT_TRUE(second["accounts"][0]["closed"].is_null());
}

TEST_F(AccountsTest, TheConsortiumIsShownCheckedAndApplied) {
  const std::string text =
      "name = \"C\"\n[[policy]]\nname = \"p\"\ndefault = true\ndata_shards = 1\nparity_shards = 0\nsite_losses = "
      "0\ndrive_losses = 0\n"
      "[[associate]]\nid = \"a\"\nname = \"A\"\nseat = \"FR\"\n"
      "[[site]]\nid = \"s\"\nassociate = \"a\"\ncountry = \"FR\"\ncity = \"Albi\"\n"
      "[[site.drive]]\nname = \"d\"\npath = \"d\"\n[[tenant]]\nid = \"000000000001\"\nname = \"T\"\n";
  EXPECT_EQ(call("GET", "/v1/consortium")["status_code"], 404);
  ASSERT_TRUE(control_.consortium.create(text, identity::operator_context("claire")));
  EXPECT_EQ(call("GET", "/v1/consortium")["text"], text);
  std::string moved = text;
  moved.replace(moved.find("Albi"), 4, "Metz");
  const json checked = call("POST", "/v1/consortium/check", {{"text", moved}});
  EXPECT_EQ(checked["status_code"], 200) << checked;
  EXPECT_EQ(checked["differences"].size(), 1U);
  EXPECT_EQ(call("GET", "/v1/consortium")["version"], 1);
  EXPECT_EQ(call("PUT", "/v1/consortium", {{"text", moved}})["version"], 2);
  EXPECT_EQ(control_.consortium_file, moved);
  EXPECT_EQ(last_event()["eventName"], "ApplyConsortium");
  std::string abroad = moved;
  abroad.replace(abroad.find("country = \"FR\""), 14, "country = \"US\"");
  control_.in_use = {{DriveName("d"), SiteId("s"), AssociateId("a")}};
  EXPECT_EQ(call("PUT", "/v1/consortium", {{"text", abroad}})["status_code"], 422);
  EXPECT_EQ(call("PUT", "/v1/consortium", {{"text", "?"}})["status_code"], 400);
  EXPECT_EQ(call("PUT", "/v1/consortium", json::object())["status_code"], 400);
  EXPECT_EQ(call("PUT", "/v1/consortium", {{"text", std::string(600'000, '#')}})["status_code"], 400);
  EXPECT_EQ(call("GET", "/v1/consortium")["version"], 2);
}

TEST_F(AccountsTest, AnOperatorsTokenCountsUntilItIsRevoked) {
  const json made = call("POST", "/v1/operators", {{"name", "paul"}, {"expires_days", 2}});
  ASSERT_EQ(made["status_code"], 201) << made;
  token_ = made["token"];
  EXPECT_EQ(call("POST", "/v1/accounts", {{"name", "Lyon"}})["status_code"], 201);
  EXPECT_EQ(last_event()["userIdentity"]["userName"], "paul");
  const json listed = call("GET", "/v1/operators");
  ASSERT_EQ(listed["operators"].size(), 2U);
  EXPECT_TRUE(listed["operators"][0]["expires"].is_null());
  EXPECT_TRUE(listed["operators"][1]["expires"].is_string());
  EXPECT_EQ(listed.dump().find(token_), std::string::npos);
  // On the same connection, too.
  EXPECT_EQ(call("DELETE", "/v1/operators/paul")["revoked"], "paul");
  EXPECT_EQ(call("GET", "/v1/operators")["status_code"], 401);
}

}  // namespace
}  // namespace andromede::api
