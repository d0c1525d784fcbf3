locals {
  folder    = var.create_workspace_folder ? databricks_directory.this[0].path : var.workspace_folder
  notebooks = var.notebooks_folder == null ? toset([]) : fileset(var.notebooks_folder, var.notebooks_pattern)
  modules   = var.modules_folder == null ? toset([]) : fileset(var.modules_folder, var.modules_pattern)

  # Said here and not left to the provider, which reads them off the file only while it creates the notebook.
  languages = { py = "PYTHON", sql = "SQL", scala = "SCALA", r = "R" }
  endings   = { for name in local.notebooks : name => lower(regex("[^.]*$", name)) }
}

resource "databricks_directory" "this" {
  count = var.create_workspace_folder ? 1 : 0

  path             = var.workspace_folder
  delete_recursive = false
}

resource "databricks_permissions" "folder" {
  count = length(merge(values(var.folder_permissions)...)) > 0 ? 1 : 0

  directory_path = local.folder

  dynamic "access_control" {
    for_each = var.folder_permissions.users

    content {
      user_name        = access_control.key
      permission_level = access_control.value
    }
  }

  dynamic "access_control" {
    for_each = var.folder_permissions.groups

    content {
      group_name       = access_control.key
      permission_level = access_control.value
    }
  }

  dynamic "access_control" {
    for_each = var.folder_permissions.service_principals

    content {
      service_principal_name = access_control.key
      permission_level       = access_control.value
    }
  }
}

resource "databricks_notebook" "this" {
  for_each = local.notebooks

  path     = "${local.folder}/notebooks/${replace(each.key, "/\\.[^./]+$/", "")}"
  source   = "${var.notebooks_folder}/${each.key}"
  language = lookup(local.languages, local.endings[each.key], null)
  format   = local.endings[each.key] == "ipynb" ? "JUPYTER" : "SOURCE"
}

resource "databricks_workspace_file" "module" {
  for_each = local.modules

  path   = "${local.folder}/modules/${each.key}"
  source = "${var.modules_folder}/${each.key}"
}
