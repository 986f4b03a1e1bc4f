//! The types of resources that a bundle has: what each needs, knows and allows.
//!
//! The keys are those of the REST API's requests, as the Databricks SDK for Python (`databricks-sdk`, Apache-2.0) has them in its
//! types, and the bundle's own. They serve to find a mistyped key: one that is far from all of them is
//! passed through, as a newer version of the Databricks CLI may know it.

/// A type of resource.
pub(super) struct Type {
    pub(super) name: &'static str,
    /// The file's middle part, `<key>.<singular>.yml`.
    pub(super) singular: &'static str,
    pub(super) required: &'static [&'static str],
    /// Keys besides those that it needs, with blanks between.
    pub(super) known: &'static str,
    pub(super) access: Access,
    /// Where the text stands that names it in the workspace; empty where only its id does.
    pub(super) name_key: &'static str,
    pub(super) prefix: Prefix,
}

/// Who may do what.
#[derive(Clone, Copy)]
pub(super) enum Access {
    None,
    /// `permissions`, with these levels.
    Permissions(&'static [&'static str]),
    /// `grants`.
    Grants,
}

/// What development mode and `presets.name_prefix` do to a name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Prefix {
    /// It is put before the name, so that names differ.
    Put,
    /// Nothing, and the name is known in the whole workspace or metastore.
    None,
    /// Nothing, but the name lies in a schema, whose name gets it.
    OfSchema,
    /// Nothing has to differ: several may have one name.
    Unneeded,
}

const MANAGE_EDIT_READ: Access = Access::Permissions(&["CAN_READ", "CAN_EDIT", "CAN_MANAGE"]);
const EDIT_RUN: Access = Access::Permissions(&["CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE"]);
const ATTACH: Access = Access::Permissions(&["CAN_ATTACH_TO", "CAN_MANAGE"]);
const USE: Access = Access::Permissions(&["CAN_USE", "CAN_CREATE", "CAN_MANAGE"]);

/// All types, by name.
pub(super) const TYPES: &[Type] = &[
    Type {
        name: "alerts",
        singular: "alert",
        required: &["display_name", "evaluation", "query_text", "schedule", "warehouse_id"],
        known: "custom_description custom_summary file_path parameters parent_path run_as",
        access: EDIT_RUN,
        name_key: "display_name",
        prefix: Prefix::Unneeded,
    },
    Type {
        name: "apps",
        singular: "app",
        required: &["name", "source_code_path"],
        known: "budget_policy_id compute_max_instances compute_min_instances compute_size config description \
            git_repository git_source resources telemetry_export_destinations usage_policy_id \
            user_api_scopes",
        access: Access::Permissions(&["CAN_USE", "CAN_MANAGE"]),
        name_key: "name",
        prefix: Prefix::None,
    },
    Type {
        name: "catalogs",
        singular: "catalog",
        required: &["name"],
        known: "comment connection_name custom_max_retention_hours managed_encryption_settings options \
            properties provider_name share_name storage_root",
        access: Access::Grants,
        name_key: "name",
        prefix: Prefix::None,
    },
    Type {
        name: "clusters",
        singular: "cluster",
        required: &["spark_version"],
        known: "apply_policy_default_values autoscale autotermination_minutes aws_attributes azure_attributes \
            cluster_log_conf cluster_name custom_tags data_security_mode docker_image \
            driver_instance_pool_id driver_node_type_id enable_elastic_disk enable_local_disk_encryption \
            gcp_attributes init_scripts instance_pool_id is_single_node kind node_type_id num_workers \
            policy_id runtime_engine single_user_name spark_conf spark_env_vars ssh_public_keys \
            use_ml_runtime workload_type",
        access: Access::Permissions(&["CAN_ATTACH_TO", "CAN_RESTART", "CAN_MANAGE"]),
        name_key: "cluster_name",
        prefix: Prefix::Unneeded,
    },
    Type {
        name: "dashboards",
        singular: "dashboard",
        required: &["display_name", "warehouse_id"],
        known: "dataset_catalog dataset_schema embed_credentials file_path parent_path serialized_dashboard",
        access: EDIT_RUN,
        name_key: "display_name",
        prefix: Prefix::Unneeded,
    },
    Type {
        name: "database_catalogs",
        singular: "database_catalog",
        required: &["database_instance_name", "database_name", "name"],
        known: "create_database_if_not_exists",
        access: Access::None,
        name_key: "name",
        prefix: Prefix::None,
    },
    Type {
        name: "database_instances",
        singular: "database_instance",
        required: &["name"],
        known: "capacity custom_tags enable_pg_native_login enable_readable_secondaries node_count \
            parent_instance_ref retention_window_in_days stopped usage_policy_id",
        access: USE,
        name_key: "name",
        prefix: Prefix::None,
    },
    Type {
        name: "experiments",
        singular: "experiment",
        required: &["name"],
        known: "artifact_location tags",
        access: MANAGE_EDIT_READ,
        name_key: "name",
        prefix: Prefix::Put,
    },
    Type {
        name: "external_locations",
        singular: "external_location",
        required: &["credential_name", "name", "url"],
        known: "comment enable_file_events encryption_details fallback file_event_queue read_only \
            skip_validation",
        access: Access::Grants,
        name_key: "name",
        prefix: Prefix::None,
    },
    Type {
        name: "genie_spaces",
        singular: "genie_space",
        required: &[],
        known: "description file_path parent_path serialized_space title warehouse_id",
        access: EDIT_RUN,
        name_key: "title",
        prefix: Prefix::Unneeded,
    },
    Type {
        name: "instance_pools",
        singular: "instance_pool",
        required: &["instance_pool_name", "node_type_id"],
        known: "aws_attributes azure_attributes custom_tags disk_spec enable_elastic_disk gcp_attributes \
            idle_instance_autotermination_minutes max_capacity min_idle_instances preloaded_docker_images \
            preloaded_spark_versions",
        access: ATTACH,
        name_key: "instance_pool_name",
        prefix: Prefix::None,
    },
    Type {
        name: "jobs",
        singular: "job",
        required: &["tasks"],
        known: "budget_policy_id continuous description email_notifications environments git_source health \
            job_clusters max_concurrent_runs name notification_settings parameters parent_path \
            performance_target queue run_as schedule tags timeout_seconds trigger usage_policy_id \
            webhook_notifications",
        access: Access::Permissions(&["CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE", "IS_OWNER"]),
        name_key: "name",
        prefix: Prefix::Unneeded,
    },
    Type {
        name: "model_serving_endpoints",
        singular: "model_serving_endpoint",
        required: &["name"],
        known: "ai_gateway budget_policy_id config description email_notifications rate_limits route_optimized \
            tags",
        access: Access::Permissions(&["CAN_VIEW", "CAN_QUERY", "CAN_MANAGE"]),
        name_key: "name",
        prefix: Prefix::Put,
    },
    Type {
        name: "models",
        singular: "model",
        required: &["name"],
        known: "description tags",
        access: Access::Permissions(&[
            "CAN_READ",
            "CAN_EDIT",
            "CAN_MANAGE_STAGING_VERSIONS",
            "CAN_MANAGE_PRODUCTION_VERSIONS",
            "CAN_MANAGE",
        ]),
        name_key: "name",
        prefix: Prefix::Put,
    },
    Type {
        name: "pipelines",
        singular: "pipeline",
        required: &[],
        known: "allow_duplicate_names budget_policy_id catalog channel clusters configuration continuous \
            development edition environment event_log filters gateway_definition ingestion_definition \
            libraries name notifications parameters photon restart_window root_path run_as schema \
            serverless storage tags target trigger usage_policy_id",
        access: Access::Permissions(&["CAN_VIEW", "CAN_RUN", "CAN_MANAGE", "IS_OWNER"]),
        name_key: "name",
        prefix: Prefix::Put,
    },
    Type {
        name: "postgres_projects",
        singular: "postgres_project",
        required: &["project_id"],
        known: "budget_policy_id custom_tags default_endpoint_settings display_name enable_pg_native_login \
            history_retention_duration pg_version",
        access: USE,
        name_key: "project_id",
        prefix: Prefix::None,
    },
    Type {
        name: "quality_monitors",
        singular: "quality_monitor",
        required: &["assets_dir", "output_schema_name", "table_name"],
        known: "baseline_table_name custom_metrics data_classification_config inference_log notifications \
            schedule skip_builtin_dashboard slicing_exprs snapshot time_series warehouse_id",
        access: Access::None,
        name_key: "table_name",
        prefix: Prefix::OfSchema,
    },
    Type {
        name: "registered_models",
        singular: "registered_model",
        required: &["catalog_name", "name", "schema_name"],
        known: "aliases comment owner storage_location",
        access: Access::Grants,
        name_key: "name",
        prefix: Prefix::Put,
    },
    Type {
        name: "schemas",
        singular: "schema",
        required: &["catalog_name", "name"],
        known: "comment properties storage_root",
        access: Access::Grants,
        name_key: "name",
        prefix: Prefix::Put,
    },
    Type {
        name: "secret_scopes",
        singular: "secret_scope",
        required: &["name"],
        known: "backend_type keyvault_metadata",
        access: Access::Permissions(&["READ", "WRITE", "MANAGE"]),
        name_key: "name",
        prefix: Prefix::None,
    },
    Type {
        name: "sql_warehouses",
        singular: "sql_warehouse",
        required: &["name"],
        known: "auto_stop_mins channel cluster_size creator_name enable_photon enable_serverless_compute \
            instance_profile_arn max_num_clusters min_num_clusters spot_instance_policy tags warehouse_type",
        access: Access::Permissions(&["CAN_VIEW", "CAN_MONITOR", "CAN_USE", "CAN_MANAGE", "IS_OWNER"]),
        name_key: "name",
        prefix: Prefix::Put,
    },
    Type {
        name: "vector_search_endpoints",
        singular: "vector_search_endpoint",
        required: &["endpoint_type", "name"],
        known: "budget_policy_id target_qps usage_policy_id",
        access: USE,
        name_key: "name",
        prefix: Prefix::None,
    },
    Type {
        name: "vector_search_indexes",
        singular: "vector_search_index",
        required: &["endpoint_name", "index_type", "name", "primary_key"],
        known: "delta_sync_index_spec direct_access_index_spec index_subtype",
        access: Access::Grants,
        name_key: "name",
        prefix: Prefix::OfSchema,
    },
    Type {
        name: "volumes",
        singular: "volume",
        required: &["catalog_name", "name", "schema_name"],
        known: "comment storage_location volume_type",
        access: Access::Grants,
        name_key: "name",
        prefix: Prefix::OfSchema,
    },
];

/// The privileges that grants may name, with blanks between.
pub(super) const PRIVILEGES: &str = "ACCESS ALL_PRIVILEGES APPLY_TAG BROWSE CREATE_CATALOG CREATE_CONNECTION CREATE_EXTERNAL_LOCATION \
    CREATE_EXTERNAL_TABLE CREATE_EXTERNAL_VOLUME CREATE_FOREIGN_CATALOG CREATE_FOREIGN_SECURABLE \
    CREATE_FUNCTION CREATE_MANAGED_STORAGE CREATE_MATERIALIZED_VIEW CREATE_MODEL CREATE_MODEL_VERSION \
    CREATE_SCHEMA CREATE_TABLE CREATE_VIEW CREATE_VOLUME EXECUTE EXTERNAL_USE_LOCATION \
    EXTERNAL_USE_SCHEMA MANAGE MODIFY READ_FILES READ_VOLUME REFRESH SELECT USE_CATALOG USE_CONNECTION \
    USE_SCHEMA WRITE_FILES WRITE_VOLUME";

impl Type {
    /// The type of this name.
    pub(super) fn find(name: &str) -> Option<&'static Type> {
        TYPES.iter().find(|known| known.name == name)
    }

    /// Every key that it may have.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'static str> + Clone {
        let access = match self.access {
            Access::None => "",
            Access::Permissions(_) => "permissions",
            Access::Grants => "grants",
        };
        let own = self.required.iter().copied().chain(self.known.split_whitespace());
        own.chain(["lifecycle", access]).filter(|key| !key.is_empty())
    }
}
