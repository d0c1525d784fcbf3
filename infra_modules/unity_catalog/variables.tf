# ---- storage ----

variable "access_connector_id" {
  description = "ARM id of the access connector whose managed identity may read and write the storage (azure_base's access_connector_id). Null makes neither a storage credential nor an external location."
  type        = string
  default     = null

  validation {
    condition     = var.access_connector_id == null || can(regex("(?i)^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\\.Databricks/accessConnectors/[^/]+$", var.access_connector_id))
    error_message = "access_connector_id must be an ARM id of the form /subscriptions/…/resourceGroups/…/providers/Microsoft.Databricks/accessConnectors/NAME; it is \"${coalesce(var.access_connector_id, "null")}\"."
  }
}

variable "storage_url" {
  description = "Container or folder for the external location, as abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/FOLDER (azure_base's storage_url). Tables and models of the schema are kept below it in managed/, an external volume in volumes/. Null keeps them where the catalog keeps its own."
  type        = string
  default     = null

  validation {
    condition     = var.storage_url == null || can(regex("^abfss://[a-z0-9]([a-z0-9-]{1,61}[a-z0-9])?@[a-z0-9]{3,24}\\.dfs\\.core\\.(windows\\.net|usgovcloudapi\\.net|chinacloudapi\\.cn)(/[^/\\s]+)*/?$", var.storage_url))
    error_message = "storage_url must have the form abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/FOLDER; it is \"${coalesce(var.storage_url, "null")}\"."
  }

  validation {
    condition     = (var.storage_url == null) == (var.access_connector_id == null)
    error_message = "storage_url and access_connector_id belong together: the one says where, the other with whose rights. Give both or neither."
  }
}

variable "storage_name" {
  description = "Name of the storage credential and of the external location, which no other of the metastore may have."
  type        = string
  default     = "gauntlet"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9_-]{1,255}$", var.storage_name))
    error_message = "storage_name must be lower-case letters, digits, underscores and hyphens; it is \"${var.storage_name}\"."
  }
}

variable "skip_validation" {
  description = "Whether to make the storage credential and the external location without Databricks trying them: for a role assignment so fresh that Azure does not know it everywhere yet."
  type        = bool
  default     = false
  nullable    = false
}

# ---- names ----

variable "catalog" {
  description = "Catalog, first part of all three-level names. It must exist unless create_catalog is true; `databricks catalogs list` shows what there is."
  type        = string
  default     = "main"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z_][a-z0-9_]{0,254}$", var.catalog))
    error_message = "catalog must be lower-case letters, digits and underscores, as Unity Catalog keeps it, and not begin with a digit; it is \"${var.catalog}\"."
  }

  validation {
    condition     = !contains(["hive_metastore", "samples", "system"], var.catalog)
    error_message = "catalog must not be hive_metastore, samples or system: no schema of Unity Catalog can be made in them. Use another, or make one with create_catalog."
  }
}

variable "create_catalog" {
  description = "Whether the catalog is made here (and destroyed with this stack) instead of used."
  type        = bool
  default     = false
  nullable    = false
}

variable "schema" {
  description = "Schema that is made for the pipeline's tables, models and volume."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z_][a-z0-9_]{0,254}$", var.schema))
    error_message = "schema must be lower-case letters, digits and underscores, as Unity Catalog keeps it, and not begin with a digit; it is \"${var.schema}\"."
  }

  validation {
    condition     = !contains(["default", "information_schema"], var.schema)
    error_message = "schema must not be default or information_schema: every catalog has them already. Take a name of your own."
  }
}

variable "volume" {
  description = "Volume that is made in the schema for files: data as it came, suites, wheels."
  type        = string
  default     = "files"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z_][a-z0-9_]{0,254}$", var.volume))
    error_message = "volume must be lower-case letters, digits and underscores, as Unity Catalog keeps it, and not begin with a digit; it is \"${var.volume}\"."
  }
}

variable "volume_type" {
  description = "MANAGED, which Databricks keeps in the schema's own storage and deletes with the volume, or EXTERNAL, whose files stay when the volume goes."
  type        = string
  default     = "MANAGED"
  nullable    = false

  validation {
    condition     = contains(["MANAGED", "EXTERNAL"], var.volume_type)
    error_message = "volume_type must be MANAGED or EXTERNAL; it is \"${var.volume_type}\"."
  }

  validation {
    condition     = var.volume_type != "EXTERNAL" || var.storage_url != null || var.volume_storage_location != null
    error_message = "An EXTERNAL volume needs a place: give storage_url and access_connector_id, or volume_storage_location inside an external location that exists."
  }

  validation {
    condition     = var.volume_storage_location == null || var.volume_type == "EXTERNAL"
    error_message = "volume_storage_location is for an EXTERNAL volume only: Databricks chooses the place of a MANAGED one. Set volume_type to EXTERNAL or leave the location null."
  }
}

variable "volume_storage_location" {
  description = "Folder of an EXTERNAL volume, inside an external location. Null puts it below storage_url as volumes/CATALOG/SCHEMA/VOLUME."
  type        = string
  default     = null

  validation {
    condition     = var.volume_storage_location == null || can(regex("^abfss://[a-z0-9]([a-z0-9-]{1,61}[a-z0-9])?@[a-z0-9]{3,24}\\.dfs\\.core\\.(windows\\.net|usgovcloudapi\\.net|chinacloudapi\\.cn)(/[^/\\s]+)+/?$", var.volume_storage_location))
    error_message = "volume_storage_location must be a folder of the form abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/FOLDER; it is \"${coalesce(var.volume_storage_location, "null")}\"."
  }
}

variable "comment" {
  description = "What is written beside the catalog, schema and volume for whoever finds them."
  type        = string
  default     = "Made by Terraform with Gauntlet's module unity_catalog."
  nullable    = false
}

variable "isolation_mode" {
  description = "ISOLATED keeps what is made here at the level of the metastore (catalog, storage credential, external location) to this workspace; OPEN shows it in every workspace of the metastore."
  type        = string
  default     = "ISOLATED"
  nullable    = false

  validation {
    condition     = contains(["ISOLATED", "OPEN"], var.isolation_mode)
    error_message = "isolation_mode must be ISOLATED or OPEN; it is \"${var.isolation_mode}\"."
  }
}

variable "force_destroy" {
  description = "Whether destroying the stack also deletes a catalog and schema that still hold tables, models or volumes. False stops the destroy instead, so that data is not lost by the way."
  type        = bool
  default     = false
  nullable    = false
}

# ---- grants ----

variable "catalog_grants" {
  description = "Privileges on the catalog by principal (user, group, or a service principal's application id). For a principal that is named the list is complete: what it holds beside is taken away. All others keep theirs."
  type        = map(set(string))
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([for privileges in values(var.catalog_grants) : length(privileges) > 0 && length(setsubtract(privileges, [
      "ALL_PRIVILEGES", "APPLY_TAG", "BROWSE", "CREATE_FUNCTION", "CREATE_MATERIALIZED_VIEW", "CREATE_MODEL",
      "CREATE_MODEL_VERSION", "CREATE_SCHEMA", "CREATE_TABLE", "CREATE_VOLUME", "EXECUTE", "EXTERNAL_USE_SCHEMA", "MANAGE",
      "MODIFY", "READ_VOLUME", "REFRESH", "SELECT", "USE_CATALOG", "USE_SCHEMA", "WRITE_VOLUME",
    ])) == 0])
    error_message = "catalog_grants must hold privileges of a catalog, with underscores, such as USE_CATALOG; they are: ${join(", ", flatten([for privileges in values(var.catalog_grants) : tolist(privileges)]))}."
  }
}

variable "schema_grants" {
  description = "Privileges on the schema by principal, complete for each that is named. They hold for all tables, models and volumes in it; nobody reaches them without USE_CATALOG on the catalog."
  type        = map(set(string))
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([for privileges in values(var.schema_grants) : length(privileges) > 0 && length(setsubtract(privileges, [
      "ALL_PRIVILEGES", "APPLY_TAG", "CREATE_FUNCTION", "CREATE_MATERIALIZED_VIEW", "CREATE_MODEL", "CREATE_MODEL_VERSION",
      "CREATE_TABLE", "CREATE_VOLUME", "EXECUTE", "EXTERNAL_USE_SCHEMA", "MANAGE", "MODIFY", "READ_VOLUME", "REFRESH", "SELECT",
      "USE_SCHEMA", "WRITE_VOLUME",
    ])) == 0])
    error_message = "schema_grants must hold privileges of a schema, with underscores, such as USE_SCHEMA; they are: ${join(", ", flatten([for privileges in values(var.schema_grants) : tolist(privileges)]))}."
  }
}

variable "volume_grants" {
  description = "Privileges on the volume by principal, complete for each that is named."
  type        = map(set(string))
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([for privileges in values(var.volume_grants) : length(privileges) > 0 && length(setsubtract(privileges, [
      "ALL_PRIVILEGES", "APPLY_TAG", "MANAGE", "READ_VOLUME", "WRITE_VOLUME",
    ])) == 0])
    error_message = "volume_grants must hold privileges of a volume, with underscores, such as READ_VOLUME; they are: ${join(", ", flatten([for privileges in values(var.volume_grants) : tolist(privileges)]))}."
  }
}

variable "external_location_grants" {
  description = "Privileges on the external location by principal, complete for each that is named. Reading and writing files past the volume goes round the volume's grants: grant sparingly."
  type        = map(set(string))
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([for privileges in values(var.external_location_grants) : length(privileges) > 0 && length(setsubtract(privileges, [
      "ALL_PRIVILEGES", "BROWSE", "CREATE_EXTERNAL_TABLE", "CREATE_EXTERNAL_VOLUME", "CREATE_MANAGED_STORAGE",
      "EXTERNAL_USE_LOCATION", "MANAGE", "READ_FILES", "WRITE_FILES",
    ])) == 0])
    error_message = "external_location_grants must hold privileges of an external location, with underscores, such as READ_FILES; they are: ${join(", ", flatten([for privileges in values(var.external_location_grants) : tolist(privileges)]))}."
  }

  validation {
    condition     = length(var.external_location_grants) == 0 || var.storage_url != null
    error_message = "external_location_grants needs an external location: give storage_url and access_connector_id."
  }
}
