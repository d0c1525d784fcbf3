# What the module promises of the endpoint, over a provider that is mocked.

mock_provider "databricks" {
  mock_resource "databricks_model_serving" {
    defaults = {
      id                  = "wine-classifier"
      serving_endpoint_id = "0c5ef3a1b2c3d4e5"
      endpoint_url        = "https://adb-1.1.azuredatabricks.net/serving-endpoints/wine-classifier/invocations"
    }
  }
}

variables {
  name             = "wine-classifier"
  model            = "main.wine_quality.wine_classifier"
  sku              = "premium"
  champion_version = "3"
}

run "nothing_is_made_before_a_version_is_given" {
  command = plan

  variables {
    champion_version = null
    permissions      = { groups = { users = "CAN_QUERY" } }
  }

  assert {
    condition     = length(databricks_model_serving.this) == 0 && length(databricks_permissions.this) == 0
    error_message = "An endpoint or its permissions are made without a version to serve."
  }

  assert {
    condition     = output.endpoint_name == null && output.traffic == {}
    error_message = "The outputs speak of an endpoint that is not made."
  }
}

run "no_sku_is_refused_where_nothing_is_served" {
  command = plan

  variables {
    champion_version = null
    sku              = "standard"
  }

  assert {
    condition     = length(databricks_model_serving.this) == 0
    error_message = "An endpoint is made without a version to serve."
  }
}

run "champion_alone_gets_all_requests" {
  command = plan

  assert {
    condition     = output.traffic == tomap({ champion = 100 })
    error_message = "The champion does not get all requests."
  }

  assert {
    condition = (
      databricks_model_serving.this[0].config[0].served_entities[*].entity_version == tolist(["3"]) &&
      databricks_model_serving.this[0].config[0].served_entities[0].entity_name == "main.wine_quality.wine_classifier"
    )
    error_message = "Not the model's version 3 alone is served."
  }
}

run "challenger_takes_its_share_from_the_champion" {
  command = plan

  variables {
    challenger_version    = "4"
    challenger_percentage = 25
  }

  assert {
    condition     = databricks_model_serving.this[0].config[0].traffic_config[0].routes[*].traffic_percentage == tolist([75, 25])
    error_message = "The shares are not 75 and 25."
  }

  assert {
    condition     = { for entity in databricks_model_serving.this[0].config[0].served_entities : entity.name => entity.entity_version } == { champion = "3", challenger = "4" }
    error_message = "The served versions are not 3 as champion and 4 as challenger."
  }
}

run "routes_are_named_after_what_is_served" {
  command = plan

  variables {
    challenger_version = "4"
  }

  assert {
    condition     = databricks_model_serving.this[0].config[0].traffic_config[0].routes[*].served_entity_name == databricks_model_serving.this[0].config[0].served_entities[*].name
    error_message = "A route leads to nothing that is served."
  }

  assert {
    condition     = sum(databricks_model_serving.this[0].config[0].traffic_config[0].routes[*].traffic_percentage) == 100
    error_message = "The shares do not sum to 100."
  }
}

run "small_machines_are_given_back_when_idle" {
  command = plan

  assert {
    condition = alltrue([
      for entity in databricks_model_serving.this[0].config[0].served_entities :
      entity.workload_size == "Small" && entity.workload_type == "CPU" && entity.scale_to_zero_enabled
    ])
    error_message = "A served version does not run on small CPU machines that scale to zero."
  }
}

run "requests_and_answers_are_kept_in_the_inference_table" {
  command = plan

  variables {
    inference_table = { catalog_name = "main", schema_name = "wine_quality", table_name_prefix = "wine_classifier" }
  }

  assert {
    condition     = databricks_model_serving.this[0].ai_gateway[0].inference_table_config[0].enabled && output.inference_table == "main.wine_quality.wine_classifier_payload"
    error_message = "Requests and answers are not kept in main.wine_quality.wine_classifier_payload."
  }
}

run "no_requests_are_kept_unasked" {
  command = plan

  assert {
    condition     = length(databricks_model_serving.this[0].ai_gateway) == 0 && output.inference_table == null
    error_message = "Requests are kept though no inference table was asked for."
  }
}

run "secrets_reach_the_model_by_reference" {
  command = plan

  variables {
    environment_variables = { STORE_TOKEN = "{{secrets/gauntlet/store_token}}", LOG_LEVEL = "info" }
  }

  assert {
    condition     = databricks_model_serving.this[0].config[0].served_entities[0].environment_vars["STORE_TOKEN"] == "{{secrets/gauntlet/store_token}}"
    error_message = "The secret's reference does not reach the served version."
  }
}

run "tags_and_addresses_are_those_given" {
  command = plan

  variables {
    tags                       = { project = "gauntlet" }
    notified_of_failed_updates = ["ml-team@example.com"]
  }

  assert {
    condition     = { for tag in databricks_model_serving.this[0].tags : tag.key => tag.value } == { project = "gauntlet" }
    error_message = "The endpoint's tags are not those given."
  }

  assert {
    condition     = databricks_model_serving.this[0].email_notifications[0].on_update_failure == tolist(["ml-team@example.com"])
    error_message = "Nobody is told of a failed update."
  }
}

run "permissions_go_by_the_serving_endpoints_id" {
  command = apply

  variables {
    permissions = { groups = { users = "CAN_QUERY" } }
  }

  assert {
    condition     = databricks_permissions.this[0].serving_endpoint_id == "0c5ef3a1b2c3d4e5"
    error_message = "The permissions name the endpoint by something else than its serving_endpoint_id."
  }
}
