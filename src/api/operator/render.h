// The JSON of the operator's listener (docs/formats/operator-api.md).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "fleet/fleet.h"
#include "journal/journal.h"

namespace andromede::api {

nlohmann::json to_json(const fleet::Job& job);
nlohmann::json to_json(const fleet::FleetStatus& status);
nlohmann::json to_json(const std::vector<journal::Entry>& entries);

}  // namespace andromede::api
