// Shapes with every kind of member, for the tests of all protocols.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/protocols/shape.h"

namespace andromede::api::protocols {

struct Greeting {
  std::optional<std::string> hi;
  static void members(auto& self, auto& visit) { visit("hi", self.hi); }
  friend bool operator==(const Greeting&, const Greeting&) = default;
};

struct Everything {
  std::optional<std::string> text;
  std::optional<bool> truth;
  std::optional<std::int64_t> whole;
  std::optional<std::uint8_t> small;
  std::optional<double> number;
  std::optional<Bytes> bytes;
  std::optional<Timestamp> time;
  std::optional<Timestamp> epoch;
  std::optional<Timestamp> http;
  std::optional<Greeting> greeting;
  std::vector<std::string> list;
  std::vector<Greeting> greetings;
  std::vector<std::string> flat;
  std::vector<std::string> renamed;
  std::vector<std::vector<std::string>> lists;
  std::map<std::string, std::string> map;
  std::map<std::string, Greeting> greeted;
  std::map<std::string, std::vector<std::string>> map_of_lists;
  std::map<std::string, std::string> flat_map;

  static void members(auto& self, auto& visit) {
    visit("Text", self.text);
    visit("Truth", self.truth);
    visit("Whole", self.whole);
    visit("Small", self.small);
    visit("Number", self.number);
    visit("Bytes", self.bytes);
    visit("Time", self.time);
    visit("Epoch", self.epoch, {.time = TimeFormat::kEpochSeconds});
    visit("Http", self.http, {.time = TimeFormat::kHttpDate});
    visit("Greeting", self.greeting);
    visit("List", self.list);
    visit("Greetings", self.greetings);
    visit("Flat", self.flat, {.flattened = true});
    visit("Renamed", self.renamed, {.item = "item"});
    visit("Lists", self.lists);
    visit("Map", self.map);
    visit("Greeted", self.greeted, {.key = "K", .value = "V"});
    visit("MapOfLists", self.map_of_lists);
    visit("FlatMap", self.flat_map, {.flattened = true, .key = "K", .value = "V"});
  }
  friend bool operator==(const Everything&, const Everything&) = default;
};

struct Required {
  std::string name;
  static void members(auto& self, auto& visit) { visit("Name", self.name); }
};

struct Deep {
  std::vector<Deep> inside;
  static void members(auto& self, auto& visit) { visit("In", self.inside, {.flattened = true}); }
};

}  // namespace andromede::api::protocols
