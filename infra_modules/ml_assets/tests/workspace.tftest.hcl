mock_provider "databricks" {}

variables {
  workspace_folder = "/Shared/gauntlet"
}

run "notebooks_keep_their_folders_and_lose_their_endings" {
  command = plan
  variables {
    notebooks_folder = "tests/files/notebooks"
  }

  assert {
    condition = tomap(output.notebook_paths) == tomap({
      "look.py"                 = "/Shared/gauntlet/notebooks/look"
      "exploration/counts.sql"  = "/Shared/gauntlet/notebooks/exploration/counts"
      "exploration/plots.ipynb" = "/Shared/gauntlet/notebooks/exploration/plots"
    })
    error_message = "Each file below the folder becomes one notebook."
  }
  assert {
    condition     = databricks_notebook.this["look.py"].source == "tests/files/notebooks/look.py"
    error_message = "A notebook is the file of its name."
  }
}

run "language_and_format_follow_the_ending" {
  command = plan
  variables {
    notebooks_folder = "tests/files/notebooks"
  }

  assert {
    condition     = databricks_notebook.this["look.py"].language == "PYTHON" && databricks_notebook.this["look.py"].format == "SOURCE"
    error_message = "A .py file is Python source."
  }
  assert {
    condition     = databricks_notebook.this["exploration/counts.sql"].language == "SQL" && databricks_notebook.this["exploration/counts.sql"].format == "SOURCE"
    error_message = "A .sql file is SQL source."
  }
  assert {
    condition     = databricks_notebook.this["exploration/plots.ipynb"].format == "JUPYTER"
    error_message = "An .ipynb file is a Jupyter notebook."
  }
}

run "modules_stay_files" {
  command = plan
  variables {
    modules_folder = "tests/files/modules"
  }

  assert {
    condition     = databricks_workspace_file.module["features/ratios.py"].path == "/Shared/gauntlet/modules/features/ratios.py"
    error_message = "Python imports files, not notebooks."
  }
  assert {
    condition     = output.module_paths["features/ratios.py"] == "/Workspace/Shared/gauntlet/modules/features/ratios.py"
    error_message = "Code sees the workspace below /Workspace."
  }
}

run "folder_is_made_and_left_when_others_use_it" {
  command = plan

  assert {
    condition     = databricks_directory.this[0].path == "/Shared/gauntlet" && databricks_directory.this[0].delete_recursive == false
    error_message = "A destroy must not take along what others put into the folder."
  }
  assert {
    condition     = length(databricks_notebook.this) + length(databricks_workspace_file.module) + length(databricks_permissions.folder) == 0
    error_message = "Nothing is copied and nobody is permitted anything unasked."
  }
}

run "folder_of_somebody_else_is_used_and_not_made" {
  command = plan
  variables {
    create_workspace_folder = false
    folder_permissions      = { groups = { "data-scientists" = "CAN_RUN" } }
  }

  assert {
    condition     = length(databricks_directory.this) == 0 && output.workspace_folder == "/Shared/gauntlet"
    error_message = "The folder is another's."
  }
  assert {
    condition     = databricks_permissions.folder[0].directory_path == "/Shared/gauntlet" && one(databricks_permissions.folder[0].access_control).group_name == "data-scientists"
    error_message = "Permissions are on the folder, whoever made it."
  }
}
