// The drives' routes over a fleet that has no drive of ours: disks behind pools, which a map of their own places.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "api/operator/front_end.h"
#include "api/operator/test_operators.h"
#include "base/random.h"
#include "fleet/fleet.h"
#include "journal/journal.h"
#include "meta/memory/memory_store.h"
#include "net/http_client.h"

namespace andromede::api {
namespace {

using nlohmann::json;

// Two disks of a pool at two sites. A withdrawal sets a site's weight to nothing and waits until its disks are empty.
class PoolFleet final : public fleet::Fleet {
 public:
  PoolFleet() {
    for (const char* const site : {"orange", "thales"}) {
      fleet::DriveStatus disk;
      disk.id = DriveId::random(random_);
      disk.name = DriveName(std::string("osd-") + site);
      disk.site = SiteId(site);
      disk.associate = AssociateId(site);
      disk.path = std::string("host ") + site;
      disk.online = true;
      disk.usage.total_bytes = 1000;
      disks_.push_back(disk);
    }
  }

  Status journal_opening() override { return {}; }
  Status start() override { return {}; }
  void stop(const std::function<void()>&) override {}
  Result<fleet::FleetStatus> status() override {
    fleet::FleetStatus status;
    status.epoch = epoch_;
    status.drives = disks_;
    status.jobs = jobs_;
    return status;
  }
  [[nodiscard]] std::optional<fleet::WritesRefused> writes_refused() const override { return std::nullopt; }
  Status add_drive(fleet::NewDrive drive, std::string operator_name) override {
    fleet::DriveStatus disk;
    disk.name = drive.name;
    disk.site = drive.site;
    disk.associate = drive.associate;
    disk.path = drive.path;
    disks_.push_back(disk);
    told.push_back("add " + drive.name.value() + " by " + operator_name);
    return {};
  }
  Status replace_drive(DriveName, std::string, std::string) override { return unsupported(); }
  Result<fleet::Job> heal(std::string) override { return fail(Errc::kUnsupported, "the pools heal by themselves"); }
  Result<fleet::Job> scrub(std::string) override { return fail(Errc::kUnsupported, "the pools scrub by themselves"); }
  Status accept_orphans(DriveName, std::string) override { return unsupported(); }
  Result<fleet::Job> drain(fleet::DrainRequest request, std::string operator_name) override {
    for (fleet::DriveStatus& disk : disks_) {
      if (disk.site == request.site) disk.phase = fleet::DrivePhase::kDraining;
    }
    fleet::Job job;
    job.number = jobs_.size() + 1;
    job.kind = fleet::JobKind::kDrain;
    job.subject = request.site->value();
    jobs_.push_back(job);
    ++epoch_;
    told.push_back("drain " + job.subject + " by " + operator_name);
    return job;
  }
  Status abort_drain(std::string) override {
    for (fleet::DriveStatus& disk : disks_) disk.phase = fleet::DrivePhase::kActive;
    return {};
  }
  Result<fleet::Job> job(std::uint64_t number) override {
    if (number == 0 || number > jobs_.size()) return fail(Errc::kNotFound, "no such job");
    return jobs_[number - 1];
  }

  std::vector<std::string> told;

 private:
  static Status unsupported() { return fail(Errc::kUnsupported, "the pools place their disks by themselves"); }

  SystemRandom random_;
  std::uint64_t epoch_ = 7;  // of the pools' map
  std::vector<fleet::DriveStatus> disks_;
  std::vector<fleet::Job> jobs_;
};

class ForeignFleetTest : public testing::Test {
 protected:
  ForeignFleetTest() {
    front_end_ = std::make_unique<OperatorFrontEnd>(control_.services(fleet_, store_), metrics_, clock_, random_,
                                                    OperatorOptions{"1.2.3", [] { return Status{}; }});
    auto server = net::Server::start(
        loops_, net::ListenOptions{}, [this](net::Exchange& exchange) { return front_end_->handle(exchange); },
        metrics_);
    EXPECT_TRUE(server) << server.error().describe();
    server_ = *std::move(server);
    client_ = *net::Client::make("127.0.0.1", server_->port(), "", std::chrono::minutes(2));
  }
  ~ForeignFleetTest() override { server_->stop(std::chrono::seconds(1)); }

  std::pair<unsigned, json> call(const std::string& method, const std::string& target, const std::string& body = "") {
    net::Headers headers;
    headers.add("Authorization", "Bearer " + control_.token);
    const auto response = client_->request(method, target, std::move(headers), body);
    EXPECT_TRUE(response) << response.error().describe();
    if (!response) return {};
    return {response->status, json::parse(response->body, nullptr, false)};
  }

  SystemClock clock_;
  SystemRandom random_;
  Metrics metrics_;
  journal::Sealer sealer_;
  meta::MemoryStore store_{sealer_, clock_, {}};
  TestOperators control_{store_, clock_, random_};
  PoolFleet fleet_;
  net::Loops loops_{1, clock_};
  std::unique_ptr<OperatorFrontEnd> front_end_;
  std::unique_ptr<net::Server> server_;
  std::unique_ptr<net::Client> client_;
};

TEST_F(ForeignFleetTest, ItsDisksAreToldAsDrives) {
  const auto [status, told] = call("GET", "/v1/status");
  ASSERT_EQ(status, 200U);
  EXPECT_EQ(told["epoch"], 7);
  ASSERT_EQ(told["drives"].size(), 2U);
  EXPECT_EQ(told["drives"][0]["name"], "osd-orange");
  EXPECT_EQ(told["drives"][0]["state"], "active");
  EXPECT_EQ(told["drives"][0]["metadata_mirror"], false);
  EXPECT_EQ(told["drives"][1]["site"], "thales");
  EXPECT_EQ(told["drives"][1]["total_bytes"], 1000);
}

TEST_F(ForeignFleetTest, ASiteIsWithdrawnAndADiskJoins) {
  const auto [drained, job] = call("POST", "/v1/drain", R"({"site":"thales"})");
  ASSERT_EQ(drained, 202U) << job;
  const json status = call("GET", "/v1/status").second;
  EXPECT_EQ(status["drives"][1]["state"], "draining");
  EXPECT_EQ(status["jobs"][0]["subject"], "thales");
  const auto [added, answer] =
      call("POST", "/v1/drives", R"({"name":"osd-3","site":"etat","associate":"etat","path":"/tmp"})");
  EXPECT_EQ(added, 201U) << answer;
  EXPECT_EQ(fleet_.told, (std::vector<std::string>{"drain thales by claire", "add osd-3 by claire"}));
}

TEST_F(ForeignFleetTest, WhatItDoesByItselfIsRefusedInItsWords) {
  const auto [status, answer] = call("POST", "/v1/scrub");
  EXPECT_GE(status, 400U);
  EXPECT_NE(answer.dump().find("the pools scrub by themselves"), std::string::npos) << answer;
}

}  // namespace
}  // namespace andromede::api
