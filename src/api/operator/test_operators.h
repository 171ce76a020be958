// For tests: who may act, over the metadata of a test's cloud, with one operator, claire.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "api/operator/front_end.h"
#include "io/temporary_folder.h"
#include "keys/custody/file_custody.h"

namespace andromede::api {

class TestOperators {
 public:
  TestOperators(meta::Store& store, const Clock& clock, Random& random)
      : key_(crypto::SecretKey::random(random)),
        operators(key_, store, clock, random),
        consortium(
            store, clock, [this] { return in_use; },
            [this](const std::string& text) -> Status {
              consortium_file = text;
              return {};
            },
            [](const sovereignty::Policies&) {}) {
    EXPECT_TRUE(keys::create_file_custody(folder_.path() + "/sealed", folder_.path() + "/seal", random));
    auto custody = keys::open_file_custody(folder_.path() + "/sealed", folder_.path() + "/seal", random);
    EXPECT_TRUE(custody);
    custody_ = std::move(*custody);
    keys_ = std::make_unique<keys::KeyService>(custody_, store, clock, random);
    directory = std::make_unique<identity::Directory>(key_.clone(), store, clock, random);
    tenants_ = std::make_unique<control::Tenants>(CloudId::random(random), *directory, *keys_, store, random);
    const auto made = operators.create("claire", std::nullopt, identity::operator_context("claire"));
    EXPECT_TRUE(made);
    token = made->view();
  }
  // `store` may be another that leads to the same.
  OperatorServices services(fleet::Fleet& fleet, meta::Store& store) {
    return {fleet, store, operators, *directory, *tenants_, consortium};
  }

 private:
  io::TemporaryFolder folder_;
  crypto::SecretKey key_;
  std::shared_ptr<keys::Custody> custody_;
  std::unique_ptr<keys::KeyService> keys_;

 public:
  identity::Operators operators;
  std::vector<sovereignty::DriveInUse> in_use;
  std::string consortium_file;
  control::ConsortiumKeeper consortium;
  std::unique_ptr<identity::Directory> directory;
  std::string token;  // claire's

 private:
  std::unique_ptr<control::Tenants> tenants_;
};

}  // namespace andromede::api
